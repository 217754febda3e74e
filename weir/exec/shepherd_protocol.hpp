// What the executor and weir-shepherd say to each other: files of a run folder, and their layout.
//
// Every attempt has a folder of its own, `runs/<job>.<attempt>/`, and everything that has to
// outlive the hub is in it:
//
//     script    what is run: by its #! interpreter, or by /bin/sh
//     state     the life of the attempt in one file, which only its shepherd writes:
//               - the shepherd holds a lock on it for its whole life, one that belongs to the
//                 open file (F_OFD_SETLK) and that closing another descriptor does not lift;
//               - the first thing that is written, by whoever holds the lock and finds the file
//                 empty, is the fence: from then on the attempt was started and never is again.
//                 It says who: pid, and clock ticks from boot to the beginning of the process;
//               - the last thing is how it ended, closed by a checksum
//     stop      asks for a polite end: the grace in milliseconds, and, where the attempt is to save
//               its state before, a signal and the milliseconds that it has for that; SIGTERM makes
//               the shepherd look
//
// One file instead of three (lock, mark, end) because making and deleting files is what starting
// a short job mostly costs: some file systems take a millisecond for each.
//
// The shepherd reads how to launch from its standard input. When the attempt has ended it also
// sends its name to the datagram socket `../hub.socket`, so that a hub that is there looks at
// once. That is a hint and no more: its loss costs a little time.
//
// Layout of the launch description: NUL-terminated strings, key and value by turns. "weir-launch"
// "1", then attempt, workdir, limit_ms (-1: none), grace_ms, output_limit (bytes, 0: none), cgroup
// (folder, "": none), memory_asked (bytes, 0: none, or a cgroup sees to it), open_files (-1: as
// they are); for each task: task (its rank), stdout, stderr,
// env ("NAME=value", repeated); last "end" "". Strings cannot hold a NUL, so nothing needs
// escaping, and a description that was cut short lacks its last pair.
//
// This header is read by the shepherd, which links nothing but libc: no C++ library here.
#pragma once

#include <stdint.h>

namespace weir::exec::protocol {

inline constexpr char script_file[] = "script";
inline constexpr char state_file[] = "state";
inline constexpr char stop_file[] = "stop";
inline constexpr const char* own_files[] = {script_file, state_file, stop_file};
inline constexpr char hub_socket[] = "hub.socket";  // in the folder of the run folders

inline constexpr char launch_magic[] = "weir-launch";
inline constexpr char end_magic[] = "weir-end 1";
inline constexpr int tasks_max = 4096;

// How the shepherd exits when it could not even begin; 0 = it kept its promise, or another
// shepherd has this attempt.
inline constexpr int exit_usage = 2;
inline constexpr int exit_folder = 3;
inline constexpr int exit_lock = 4;
inline constexpr int exit_launch = 5;
inline constexpr int exit_fence = 6;

// FNV-1a, over the lines of the end before its last one.
inline uint64_t checksum(const char* bytes, uint64_t count) {
    uint64_t sum = 0xCBF29CE484222325ULL;
    for (uint64_t i = 0; i < count; ++i) {
        sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 0x100000001B3ULL;
    }
    return sum;
}

}  // namespace weir::exec::protocol
