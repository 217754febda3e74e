#include "weir/cli/data_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t for_owner_alone = 0700;
constexpr mode_t for_others = 0077;

// The error's number, 0 when the folder is there.
int make_private(const std::string& path) {
    if (::mkdir(path.c_str(), for_owner_alone) == 0) return 0;
    if (errno != EEXIST) return errno;
    return fs::is_directory(path) ? 0 : ENOTDIR;
}

}  // namespace

Result<std::string> made_data_folder(const std::string& given, std::string_view option) {
    const auto refuse = [&](const std::string& why) {
        return fail(Code::io, fmt::format("{} {}: cannot be made: {}", option, given, why));
    };
    std::error_code problem;
    std::string path = fs::absolute(given, problem).lexically_normal().string();
    if (problem || given.empty()) return refuse(given.empty() ? "no name" : problem.message());
    while (path.size() > 1 && path.back() == '/')
        path.pop_back();
    // The way there is no secret.
    fs::create_directories(fs::path(path).parent_path(), problem);
    if (problem) return refuse(problem.message());
    for (const std::string& folder : {path, path + "/runs"}) {
        if (const int error = make_private(folder); error != 0) {
            return refuse(std::strerror(error));
        }
    }
    return path;
}

std::string seen_by_others(const std::string& folder) {
    struct stat found = {};
    if (::stat(folder.c_str(), &found) != 0 || (found.st_mode & for_others) == 0) return "";
    return fmt::format(
        "other users of this machine can read {} (mode {:04o}), and with it the "
        "environment and output of jobs; `chmod 700 {}` keeps them out",
        folder,
        found.st_mode & 07777,
        shell_quoted(folder));
}

Result<void> write_whole(const std::string& path, const std::string& text) {
    const std::string draft = path + ".new";
    const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const bool written = fd >= 0 && write_all(fd, text);
    if (fd >= 0) ::close(fd);
    std::error_code problem;
    if (written) fs::rename(draft, path, problem);
    if (!written || problem) return fail(Code::io, path + ": cannot be written");
    return {};
}

}  // namespace weir::cli
