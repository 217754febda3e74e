#include "weir/exec/shepherd_output.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weir/exec/shepherd_protocol.hpp"

namespace weir::exec::shepherd {
namespace {

char buffer[65536];

void write_all(Stream& stream, const char* bytes, size_t count) {
    while (count > 0 && stream.write_error == 0) {
        const ssize_t written = write(stream.file, bytes, count);
        if (written < 0) {
            if (errno == EINTR) continue;
            // A full disk: nothing more is kept, and the end of the attempt says so.
            stream.write_error = errno;
            stream.cut = true;
            return;
        }
        bytes += written;
        count -= static_cast<size_t>(written);
    }
}

void size_text(int64_t bytes, char* text, size_t room) {
    static const struct {
        int64_t size;
        const char* unit;
    } units[] = {{int64_t{1} << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};
    for (const auto& unit : units) {
        if (bytes >= unit.size && bytes % unit.size == 0) {
            snprintf(text, room, "%lld%s", static_cast<long long>(bytes / unit.size), unit.unit);
            return;
        }
    }
    snprintf(text, room, "%lldB", static_cast<long long>(bytes));
}

void keep(Output& output, Stream& stream, size_t count) {
    if (stream.cut) return;
    size_t wanted = count;
    bool over = false;
    if (output.limit > 0 && stream.kept + static_cast<int64_t>(count) > output.limit) {
        wanted = static_cast<size_t>(output.limit - stream.kept);
        over = true;
    }
    write_all(stream, buffer, wanted);
    stream.kept += static_cast<int64_t>(wanted);
    if (over && !stream.cut) {
        char size[32];
        size_text(output.limit, size, sizeof size);
        char line[128];
        const int length =
            snprintf(line, sizeof line, "\n[weir: output cut at %s; the rest is not kept]\n", size);
        write_all(stream, line, static_cast<size_t>(length));
        stream.cut = true;
    }
}

// The folders above a file. False and errno when one cannot be made.
bool make_parents(const char* path) {
    char folder[4096];
    if (strlen(path) >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (const char* slash = strchr(path + 1, '/'); slash != nullptr;
         slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", static_cast<int>(slash - path), path);
        if (mkdir(folder, 0755) != 0 && errno != EEXIST && access(folder, F_OK) != 0) return false;
    }
    return true;
}

bool same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

bool is_own_file(const char* path) {
    struct stat wanted {};
    const bool exists = stat(path, &wanted) == 0;
    const char* const slash = strrchr(path, '/');
    const char* const name = slash == nullptr ? path : slash + 1;
    char parent[4096] = ".";
    if (slash != nullptr) {
        snprintf(parent, sizeof parent, "%.*s/", static_cast<int>(slash - path), path);
    }
    struct stat folder {};
    struct stat here {};
    const bool in_run_folder =
        stat(parent, &folder) == 0 && stat(".", &here) == 0 && same_file(folder, here);
    for (const char* const own : protocol::own_files) {
        struct stat known {};
        if (exists && stat(own, &known) == 0 && same_file(wanted, known)) return true;
        // What is not there yet would be made.
        if (in_run_folder && strcmp(name, own) == 0) return true;
    }
    return false;
}

int open_stream(Output& output, const char* path) {
    for (int i = 0; i < output.count; ++i) {
        if (strcmp(output.streams[i].path, path) == 0) return i;
    }
    // Several jobs, members of an array or attempts may be told to write to one file, also at the
    // same time: each appends, and nothing is emptied, so all of it stays whole. A named pipe that
    // nobody reads must not hold up the shepherd, so it is refused rather than waited for.
    constexpr int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int file = open(path, how, 0644);
    if (file < 0 && errno == ENOENT && make_parents(path)) file = open(path, how, 0644);
    if (file < 0) return -1;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    void* const larger =
        realloc(output.streams, static_cast<size_t>(output.count + 1) * sizeof(Stream));
    if (larger == nullptr) return -1;
    output.streams = static_cast<Stream*>(larger);
    Stream& stream = output.streams[output.count];
    stream = Stream{};
    stream.path = path;
    stream.file = file;
    stream.read_end = ends[0];
    stream.write_end = ends[1];
    return output.count++;
}

void close_write_ends(Output& output) {
    for (int i = 0; i < output.count; ++i) {
        if (output.streams[i].write_end >= 0) close(output.streams[i].write_end);
        output.streams[i].write_end = -1;
    }
}

bool copy_some(Output& output, Stream& stream) {
    for (int round = 0; round < 16 && stream.read_end >= 0; ++round) {
        const ssize_t size = read(stream.read_end, buffer, sizeof buffer);
        if (size > 0) {
            keep(output, stream, static_cast<size_t>(size));
            continue;
        }
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return true;
        close(stream.read_end);
        stream.read_end = -1;
    }
    return stream.read_end >= 0;
}

void drain(Output& output) {
    for (int i = 0; i < output.count; ++i) {
        Stream& stream = output.streams[i];
        // Nobody is left who could write more than a full pipe.
        copy_some(output, stream);
        if (stream.read_end >= 0) close(stream.read_end);
        stream.read_end = -1;
        close(stream.file);
    }
}

bool any_cut(const Output& output) {
    for (int i = 0; i < output.count; ++i) {
        if (output.streams[i].cut) return true;
    }
    return false;
}

}  // namespace weir::exec::shepherd
