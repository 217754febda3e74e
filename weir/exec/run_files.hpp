// The files of a run folder, from the hub's side: writes what the shepherd reads and reads what
// it wrote. The layout is told in shepherd_protocol.hpp.
//
// Threads: free functions on values and paths; files appear whole, by rename, or not at all.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/exec/executor.hpp"

namespace weir::exec {

// data_dir/runs/12.1
std::string run_folder(const std::string& data_dir, AttemptId attempt);

// Makes the links of a launch, and folders below its working folder on the way. The error names a
// path where something else is than a link.
Result<void> make_links(const Launch& launch);

// Refuses what cannot be written down or started: a NUL in a string, no task, a relative path.
Result<void> check_launch(const Launch& launch);
// What the shepherd reads. Every task gets WEIR_RUN_DIR, by which its processes can be recognised.
// `open_files` is the soft limit of its descriptors; -1 = that of this process.
std::string encode_launch(const Launch& launch,
                          const std::string& folder,
                          const std::string& cgroup,
                          std::int64_t open_files = -1);

// The end at the end of a `state` file. Code::not_found when there is none yet; another error
// when it is damaged, or only half written at this moment.
Result<AttemptEnd> parse_end(AttemptId attempt, std::string_view state);

// Inverse of text_of; an error when `text` is not of the form "12.1".
Result<AttemptId> parse_attempt(std::string_view text);

// Writes beside `path` and renames, so that readers see the old or the new file, never a part.
Result<void> write_whole(const std::string& path, std::string_view bytes, unsigned mode);
// Code::not_found when there is no such file, or process, where it is one of /proc; Code::denied
// when it is somebody else's; Code::invalid when it is a folder. Code::io says nothing about the
// file: too many may be open.
Result<std::string> read_whole(const std::string& path, std::size_t size_max = 1 << 24);
// The same from an open descriptor, which stays open; `path` is for the message.
Result<std::string> read_rest(int fd, const std::string& path, std::size_t size_max = 1 << 24);

}  // namespace weir::exec
