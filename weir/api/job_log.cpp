#include "weir/api/job_log.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::api {
namespace {

class File {
public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

Error failure(const std::string& path) {
    return {Code::io, fmt::format("output file {}: {}", path, std::strerror(errno))};
}

}  // namespace

Result<LogSlice> read_log(const std::string& path, std::uint64_t offset, std::uint64_t limit) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.descriptor() < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return LogSlice{};
        return fail(failure(path));
    }
    struct stat facts {};
    if (::fstat(file.descriptor(), &facts) != 0) return fail(failure(path));
    if (!S_ISREG(facts.st_mode)) {
        return fail(Code::invalid,
                    fmt::format("output file {}: not a regular file, so what the "
                                "job wrote there cannot be shown",
                                path));
    }
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    LogSlice slice;
    slice.next = std::min(offset, size);
    slice.bytes.resize(std::min({limit, log_slice_bytes_max, size - slice.next}));
    std::size_t filled = 0;
    while (filled < slice.bytes.size()) {
        const ssize_t count = ::pread(file.descriptor(),
                                      slice.bytes.data() + filled,
                                      slice.bytes.size() - filled,
                                      static_cast<off_t>(slice.next + filled));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(failure(path));
        if (count == 0) break;  // somebody made it shorter meanwhile
        filled += static_cast<std::size_t>(count);
    }
    slice.bytes.resize(filled);
    slice.next += filled;
    slice.at_end = slice.next >= size;
    return slice;
}

Result<LogSlice> read_log_tail(const std::string& path, std::uint64_t bytes) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return read_log(path, 0, bytes);
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    const std::uint64_t offset = size > bytes ? size - bytes : 0;
    WEIR_TRY(LogSlice slice, read_log(path, offset, log_slice_bytes_max));
    if (offset > 0) {
        const std::size_t line = slice.bytes.find('\n');
        if (line != std::string::npos) slice.bytes.erase(0, line + 1);
    }
    return slice;
}

}  // namespace weir::api
