// SPDX-License-Identifier: Apache-2.0
/* Frames of a session in any pieces, and a bulk stream into a directory: no byte may lead out. */
#include "fuzz.h"
#include "mover/link.h"
#include "wire/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const types[] = {WIRE_HELLO, WIRE_REQUEST, WIRE_REPLY, WIRE_ERROR, WIRE_LOG};

static void
read_session(const uint8_t *data, size_t size, bool preamble, size_t step)
{
    FrameReader *reader = frame_reader_new(preamble);
    int got = 0;
    Frame frame;

    for (size_t at = 0; at < size && got >= 0; at += step) {
        frame_reader_feed(reader, data + at, MIN(step, size - at));
        while ((got = frame_reader_next(reader, &frame, NULL)) == 1) {
            g_assert(frame.length <= FRAME_LIMIT);
            for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
                g_autoptr(GVariant) value =
                    message_unpack(frame.payload, frame.length, types[i], NULL);
                g_assert(!value || g_variant_is_normal_form(value));
            }
        }
    }
    frame_reader_free(reader);
}

/* A memory file stands for the connection; the target is a file of this process alone. */
static void
receive_stream(const uint8_t *data, size_t size)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);
    g_autofree char *path = g_strdup_printf("/dev/shm/onevol-fuzz-%d", (int)getpid());
    StreamLink in = {.fd = fd};
    StreamTarget target = {.path = path, .tree = false};
    StreamResult result;

    if (write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0)
        stream_receive(&in, &target, &result, NULL);
    unlink(path);
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_session(data, size, false, size ? size : 1);
    read_session(data, size, true, 7);
    receive_stream(data, size);
    return 0;
}
