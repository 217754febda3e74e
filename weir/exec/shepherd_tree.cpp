#include "weir/exec/shepherd_tree.hpp"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace weir::exec::shepherd {
namespace {

int by_pid(const void* left, const void* right) {
    const pid_t a = static_cast<const ProcessEntry*>(left)->pid;
    const pid_t b = static_cast<const ProcessEntry*>(right)->pid;
    return a < b ? -1 : a > b ? 1 : 0;
}

bool alive(const ProcessEntry& entry) {
    return entry.state != 'Z' && entry.state != 'X';
}

}  // namespace

bool read_process(pid_t pid, ProcessEntry& entry) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char text[1024];
    const ssize_t size = read(fd, text, sizeof text - 1);
    const int reason = size == 0 ? ESRCH : errno;
    close(fd);
    errno = reason;
    if (size <= 0) return false;
    text[size] = '\0';
    // The name in brackets may itself hold brackets and spaces: what counts is behind the last.
    const char* const name_end = strrchr(text, ')');
    errno = ESRCH;
    if (name_end == nullptr) return false;
    char state = '?';
    int parent = 0;
    int session = 0;
    unsigned long long start = 0;
    const int read_count = sscanf(name_end + 1,
                                  " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                                  "%*d %*d %*d %llu",
                                  &state,
                                  &parent,
                                  &session,
                                  &start);
    if (read_count != 4) return false;
    entry = ProcessEntry{};
    entry.pid = pid;
    entry.parent = parent;
    entry.session = session;
    entry.state = state;
    entry.start_ticks = start;
    return true;
}

int read_processes(ProcessEntry** entries, bool* all) {
    *entries = nullptr;
    *all = false;
    DIR* const folder = opendir("/proc");
    if (folder == nullptr) return 0;
    *all = true;
    int count = 0;
    int room = 0;
    while (const dirent* const item = readdir(folder)) {
        if (isdigit(static_cast<unsigned char>(item->d_name[0])) == 0) continue;
        if (count == room) {
            room = room == 0 ? 512 : room * 2;
            void* const larger =
                realloc(*entries, static_cast<size_t>(room) * sizeof(ProcessEntry));
            if (larger == nullptr) {
                *all = false;
                break;
            }
            *entries = static_cast<ProcessEntry*>(larger);
        }
        if (read_process(atoi(item->d_name), (*entries)[count])) {
            ++count;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            *all = false;
        }
    }
    closedir(folder);
    if (count > 1) qsort(*entries, static_cast<size_t>(count), sizeof(ProcessEntry), by_pid);
    return count;
}

int signal_below(pid_t root, int signal) {
    ProcessEntry* entries = nullptr;
    bool all = false;  // whoever can be reached is signalled, also when some cannot be seen
    const int count = read_processes(&entries, &all);
    bool changed = count > 0;
    while (changed) {
        changed = false;
        for (int i = 0; i < count; ++i) {
            if (entries[i].below) continue;
            if (entries[i].parent != root) {
                ProcessEntry key;
                key.pid = entries[i].parent;
                const auto* parent = static_cast<const ProcessEntry*>(bsearch(
                    &key, entries, static_cast<size_t>(count), sizeof(ProcessEntry), by_pid));
                if (parent == nullptr || !parent->below) continue;
            }
            entries[i].below = true;
            changed = true;
        }
    }
    int reached = 0;
    for (int i = 0; i < count; ++i) {
        if (entries[i].below && alive(entries[i]) && kill(entries[i].pid, signal) == 0) ++reached;
    }
    free(entries);
    return reached;
}

void freeze_below(pid_t root) {
    // Nothing forks once it was told to stop, so a round that finds no more than the one before it
    // has found everyone.
    int before = -1;
    for (int round = 0; round < 20; ++round) {
        const int count = signal_below(root, SIGSTOP);
        if (count == 0 || count == before) return;
        before = count;
    }
}

}  // namespace weir::exec::shepherd
