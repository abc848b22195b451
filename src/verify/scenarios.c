// SPDX-License-Identifier: Apache-2.0
#include "verify/scenarios.h"

enum {
    ALWAYS = 0,
    MIXED_MODE = RELEASE(5, 10, 0),
    SHAREABLE = RELEASE(6, 0, 0),
    BACKUPS = RELEASE(6, 6, 0),
};

const Scenario scenarios[] = {
    {"images",          ALWAYS,     scenario_images,          "import, create, copy, remove"  },
    {"sources",         ALWAYS,     scenario_sources,         "downloads, archives, formats"  },
    {"refused",         ALWAYS,     scenario_refused,         "what must be refused"          },
    {"deploy",          ALWAYS,     scenario_deploy,          "a VM with every kind of disk"  },
    {"attach",          ALWAYS,     scenario_attach,          "disks come and go"             },
    {"move",            ALWAYS,     scenario_move,            "stop, undeploy, migrate"       },
    {"recover",         ALWAYS,     scenario_recover,         "retry, recreate, delete"       },
    {"dead-host",       ALWAYS,     scenario_dead_host,       "a VM's host is down"           },
    {"shareable",       SHAREABLE,  scenario_shareable,       "one image in two VMs"          },
    {"suffix",          MIXED_MODE, scenario_suffix,          "actions named for mixed mode"  },
    {"resize",          ALWAYS,     scenario_resize,          "growing disks"                 },
    {"snapshots",       ALWAYS,     scenario_snapshots,       "snapshots of VM disks"         },
    {"save-as",         ALWAYS,     scenario_save_as,         "disks saved as images"         },
    {"image-snapshots", ALWAYS,     scenario_image_snapshots, "snapshots of images not in use"},
    {"live-migration",  ALWAYS,     scenario_live_migration,  "pre-, post- and failmigrate"   },
    {"backup",          BACKUPS,    scenario_backup,          "backup actions"                },
    {"states",          ALWAYS,     scenario_states,          "every disk in every state"     },
};
const size_t scenario_count = G_N_ELEMENTS(scenarios);
