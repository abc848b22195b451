// SPDX-License-Identifier: Apache-2.0
#include "local/still.h"

#include "base/command.h"
#include "base/error.h"
#include "base/log.h"
#include "local/session.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS SECONDS(5)
#define STOP_MS SECONDS(6)     /* libvirt gives an agent that does not answer up after 5 */
#define GO_MS SECONDS(3)       /* for one try to let it go on */
#define GUARDIAN_MS SECONDS(8) /* at most this long we wait for the guardian */
#define TRIES 30u              /* of the guardian, while libvirt does not answer: it may restart */
#define REFUSALS 3u            /* after so many it believes its no */
#define PAUSE_MS 200u          /* after the first try; doubles up to eight times that */

const Way way_freeze = {"domfsfreeze", "domfsthaw", "guest file systems frozen"};
const Way way_suspend = {"suspend", "resume", "guest suspended"};

static bool
order(const Still *still, const char *command, unsigned timeout_ms, GError **error)
{
    return guest_virsh(&still->guest, WORDS(command), NULL, timeout_ms, NULL, error);
}

int
still_lock(const Guest *guest, GError **error)
{
    g_autofree char *key = g_strdup_printf("guest %s of %s", guest->domain, guest->uri);

    return machine_lock(key, error);
}

static void
become_virsh(const Guest *guest, const char *go, int output)
{
    setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execlp("virsh", "virsh", "-q", "-c", guest->uri, go, guest->domain, NULL);
    _exit(127);
}

/* In the guardian: one try, in a child that cannot hold us up. */
static Answer
try_to_go(const Guest *guest, const char *go)
{
    int status, ends[2];
    char text[1000] = "";

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return NO_ANSWER;
    pid_t child = fork();
    if (child == 0)
        become_virsh(guest, go, ends[1]);
    Answer answer = NO_ANSWER;
    for (unsigned waited = 0; child > 0 && waited < GO_MS; waited += 10) {
        if (waitpid(child, &status, WNOHANG) == child) {
            (void)!read(ends[0], text, sizeof text - 1);
            answer = status == 0 ? DONE : answer_of(text);
            child = 0;
        } else {
            guardian_pause(10);
        }
    }
    if (child > 0)
        kill(-child, SIGKILL);
    close(ends[0]);
    close(ends[1]);
    return answer;
}

static bool
let_go_on(const void *data)
{
    const Still *still = data;
    unsigned refusals = 0;

    for (unsigned try = 0; try < TRIES && refusals < REFUSALS; try++) {
        Answer answer = try_to_go(&still->guest, still->way->go);
        guardian_pause(PAUSE_MS << MIN(try, 3));
        if (answer == DONE) {
            /* an order to stop may have been on its way when its sender died */
            try_to_go(&still->guest, still->way->go);
            return true;
        }
        refusals += answer == REFUSED;
    }
    return false;
}

bool
still_begin(Still *still, int lock, GError **error)
{
    still->stopped = false;
    if (!guardian_start(&still->guardian, let_go_on, still, still->limit_ms, lock, error)) {
        still->guardian = (Guardian){.socket = -1};
        return false;
    }
    still->stopped = order(still, still->way->stop, STOP_MS, error);
    return still->stopped;
}

/* Not even a signal to us stops that; it counts afterwards. */
static int
go_on(Still *still, const GError *failed)
{
    g_autoptr(GError) error = NULL;
    bool cancelled = cancel_requested();

    cancel_forget();
    bool never = !still->stopped && is_answer(failed);
    bool running = order(still, still->way->go, GO_MS, &error) || answer_of(error->message) == DONE;
    if (still->stopped && !running)
        log_warn("the guardian lets '%s' go on: %s", still->guest.domain, error->message);
    int acted = guardian_dismiss(&still->guardian, running || never, GUARDIAN_MS);
    if (cancelled)
        raise(SIGTERM);
    return acted;
}

bool
still_end(Still *still, const GError *failed, GError **error)
{
    int acted = go_on(still, failed);

    if (acted & GUARDIAN_IN_VAIN)
        return set_error(error, ONEVOL_ERROR_TIMEOUT,
                         "guest '%s' may still stand still: `virsh -c %s %s %s` does not work",
                         still->guest.domain, still->guest.uri, still->way->go,
                         still->guest.domain);
    if (!failed && (acted & GUARDIAN_LATE))
        return set_error(error, ONEVOL_ERROR_TIMEOUT,
                         "the copy took more than %g s, in which guest '%s' was let go on",
                         still->limit_ms / 1000.0, still->guest.domain);
    return true;
}

bool
guest_is_running(const Guest *guest, bool *running, GError **error)
{
    static const char *const still[] = {"paused", "shut off", "crashed", "pmsuspended", NULL};
    g_autofree char *state = NULL;
    GError *local = NULL;

    if (guest_virsh(guest, WORDS("domstate"), NULL, LOOK_MS, &state, &local)) {
        *running = !g_strv_contains(still, g_strstrip(state));
        return true;
    }
    if (strstr(local->message, "failed to get domain")) {
        g_clear_error(&local);
        return set_error(error, ONEVOL_ERROR_NOT_FOUND, "libvirt at '%s' knows no guest '%s'",
                         guest->uri, guest->domain);
    }
    g_propagate_error(error, local);
    return false;
}
