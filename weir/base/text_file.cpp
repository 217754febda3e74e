#include "weir/base/text_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "weir/base/units.hpp"

namespace weir {
namespace {

// Closes what it opened; the standard input stays open.
struct Descriptor {
    int fd = -1;
    bool owned = false;
    Descriptor(int number, bool ours) : fd(number), owned(ours) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (owned && fd >= 0) ::close(fd);
    }
};

std::string shown(std::size_t bytes) {
    return format_bytes(Bytes{static_cast<std::int64_t>(bytes)});
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
    const bool standard = path == "-";
    const std::string name = standard ? "standard input" : path;
    const Descriptor file(standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC),
                          !standard);
    if (file.fd < 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return fail(absent ? Code::not_found : Code::io,
                    fmt::format("{}: cannot be opened: {}", name, std::strerror(errno)));
    }
    struct stat info {};
    if (::fstat(file.fd, &info) != 0) {
        return fail(Code::io, fmt::format("{}: {}", name, std::strerror(errno)));
    }
    if (S_ISDIR(info.st_mode)) {
        return fail(Code::invalid, fmt::format("{}: is a folder, not a file", name));
    }
    if (S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) > bytes_max) {
        return fail(Code::too_large,
                    fmt::format("{}: has {}; at most {} are read",
                                name,
                                shown(static_cast<std::size_t>(info.st_size)),
                                shown(bytes_max)));
    }
    std::string text;
    for (;;) {
        const std::size_t before = text.size();
        // One byte more than allowed tells "exactly full" from "too long".
        const std::size_t want = std::min<std::size_t>(65536, bytes_max + 1 - before);
        text.resize(before + want);
        const ssize_t got = ::read(file.fd, text.data() + before, want);
        if (got < 0 && errno == EINTR) {
            text.resize(before);
            continue;
        }
        if (got < 0) return fail(Code::io, fmt::format("{}: {}", name, std::strerror(errno)));
        text.resize(before + static_cast<std::size_t>(got));
        if (got == 0) return text;
        if (text.size() > bytes_max) {
            return fail(
                Code::too_large,
                fmt::format("{}: is longer than the {} that are read", name, shown(bytes_max)));
        }
    }
}

}  // namespace weir
