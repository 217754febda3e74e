#include "weir/sim/line_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "weir/base/assert.hpp"
#include "weir/base/units.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t chunk_bytes = 256 * 1024;  // fits the second-level cache of any machine

class FileDescriptor {
public:
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&&) = delete;
    ~FileDescriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

Code code_of_errno(int error) {
    return error == ENOENT ? Code::not_found : Code::io;
}

}  // namespace

// Three stages, each with a buffer: the file (or memory), the decompressor, the lines.
struct LineReader::Source {
    Source(std::string file_name, FileDescriptor descriptor, LineLimits line_limits)
        : name(std::move(file_name)), file(std::move(descriptor)), limits(line_limits) {
        lines.resize(limits.line_max + chunk_bytes);
    }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() {
        if (gzip) inflateEnd(&stream);
    }

    Result<std::size_t> read_raw(char* to, std::size_t room);
    Result<void> begin();
    Result<void> refill_packed();
    Result<std::size_t> unpack(char* to, std::size_t room);
    Result<void> fill();
    [[nodiscard]] std::string progress_text() const {
        return fmt::format("after line {} and {} of {} compressed bytes",
                           format_count(line),
                           format_count(raw_read - stream.avail_in),
                           format_count(raw_total));
    }

    std::string name;
    FileDescriptor file;
    LineLimits limits;
    std::string memory;  // instead of a file
    std::size_t memory_at = 0;

    std::uint64_t raw_total = 0;  // 0 = unknown
    std::uint64_t raw_read = 0;
    std::vector<char> packed;
    std::size_t packed_size = 0;  // what of `packed` is filled
    std::size_t packed_at = 0;    // plain files: what of it was taken
    bool raw_ended = false;

    bool gzip = false;
    bool between_members = false;  // a gzip file is one or more compressed members in a row
    z_stream stream{};

    std::vector<char> lines;
    std::size_t from = 0;
    std::size_t to = 0;
    bool ended = false;
    std::uint64_t unpacked = 0;
    std::uint64_t line = 0;
};

Result<std::size_t> LineReader::Source::read_raw(char* where, std::size_t room) {
    std::size_t got = 0;
    if (file.get() < 0) {
        got = std::min(room, memory.size() - memory_at);
        std::memcpy(where, memory.data() + memory_at, got);
        memory_at += got;
    } else {
        ssize_t count = 0;
        do {
            count = ::read(file.get(), where, room);
        } while (count < 0 && errno == EINTR);
        if (count < 0) {
            return fail(Code::io,
                        fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
        }
        got = static_cast<std::size_t>(count);
    }
    raw_read += got;
    if (got == 0) raw_ended = true;
    return got;
}

// Looks at the first two bytes and decides what the file is.
Result<void> LineReader::Source::begin() {
    packed.resize(chunk_bytes);
    while (packed_size < 2 && !raw_ended) {
        WEIR_TRY(const std::size_t got,
                 read_raw(packed.data() + packed_size, packed.size() - packed_size));
        packed_size += got;
    }
    gzip = packed_size >= 2 && packed[0] == '\x1f' && packed[1] == '\x8b';
    if (!gzip) return {};
    const int status = inflateInit2(&stream, 15 + 16);  // 16: with the gzip header
    if (status != Z_OK) {
        gzip = false;
        return fail(Code::internal, fmt::format("{}: zlib does not start ({})", name, status));
    }
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed_size);
    return {};
}

Result<void> LineReader::Source::refill_packed() {
    if (stream.avail_in > 0 || raw_ended) return {};
    WEIR_TRY(const std::size_t got, read_raw(packed.data(), packed.size()));
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(got);
    return {};
}

// Bytes of text; 0 only at the end.
Result<std::size_t> LineReader::Source::unpack(char* where, std::size_t room) {
    if (!gzip) {
        if (packed_at == packed_size) return read_raw(where, room);
        const std::size_t got = std::min(room, packed_size - packed_at);
        std::memcpy(where, packed.data() + packed_at, got);
        packed_at += got;
        return got;
    }
    stream.next_out = reinterpret_cast<Bytef*>(where);
    stream.avail_out = static_cast<uInt>(room);
    while (stream.avail_out == room) {
        WEIR_CHECK(refill_packed());
        if (between_members) {
            // Zeros after the last member are padding of tapes and block devices.
            while (stream.avail_in > 0 && *stream.next_in == 0) {
                ++stream.next_in;
                --stream.avail_in;
                WEIR_CHECK(refill_packed());
            }
            if (stream.avail_in == 0) return std::size_t{0};
            inflateReset(&stream);
            between_members = false;
        }
        if (stream.avail_in == 0) {
            return fail(Code::invalid,
                        fmt::format("{}: the gzip file ends too early, {}; it was not copied or "
                                    "written whole",
                                    name,
                                    progress_text()));
        }
        const int status = inflate(&stream, Z_NO_FLUSH);
        if (status == Z_STREAM_END) {
            between_members = true;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return fail(Code::invalid,
                        fmt::format("{}: damaged gzip data ({}), {}; `gzip -t` checks a file",
                                    name,
                                    stream.msg != nullptr ? stream.msg : "no reason given",
                                    progress_text()));
        }
    }
    return room - stream.avail_out;
}

// Moves the unfinished line to the front and reads on behind it.
Result<void> LineReader::Source::fill() {
    if (from > 0) {
        std::memmove(lines.data(), lines.data() + from, to - from);
        to -= from;
        from = 0;
    }
    const std::size_t room = std::min(lines.size() - to, chunk_bytes);
    WEIR_ASSERT(room > 0);
    WEIR_TRY(const std::size_t got, unpack(lines.data() + to, room));
    to += got;
    unpacked += got;
    if (got == 0) ended = true;
    if (unpacked > limits.bytes_max) {
        return fail(Code::too_large,
                    fmt::format("{}: more than {} of text; that is the limit for one log",
                                name,
                                format_bytes({static_cast<std::int64_t>(limits.bytes_max)})));
    }
    return {};
}

LineReader::LineReader(std::unique_ptr<Source> source) : source_(std::move(source)) {}
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

Result<LineReader> LineReader::open(const std::string& path, LineLimits limits) {
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        const int error = errno;
        return fail(code_of_errno(error),
                    fmt::format("{}: cannot be opened: {}", path, std::strerror(error)));
    }
    struct stat facts {};
    if (::fstat(file.get(), &facts) == 0 && S_ISDIR(facts.st_mode)) {
        return fail(Code::invalid, fmt::format("{}: is a folder, not a file", path));
    }
    auto source = std::make_unique<Source>(path, std::move(file), limits);
    if (S_ISREG(facts.st_mode)) source->raw_total = static_cast<std::uint64_t>(facts.st_size);
    WEIR_CHECK(source->begin());
    return LineReader(std::move(source));
}

LineReader LineReader::over(std::string name, std::string bytes, LineLimits limits) {
    auto source = std::make_unique<Source>(std::move(name), FileDescriptor(-1), limits);
    source->raw_total = bytes.size();
    source->memory = std::move(bytes);
    const auto begun = source->begin();
    WEIR_ASSERT(begun.has_value());  // memory can always be read
    return LineReader(std::move(source));
}

Result<bool> LineReader::next(std::string_view& line) {
    Source& s = *source_;
    std::size_t searched = s.from;
    for (;;) {
        const char* begin = s.lines.data() + s.from;
        const auto* end =
            static_cast<const char*>(std::memchr(s.lines.data() + searched, '\n', s.to - searched));
        std::size_t length = 0;
        if (end != nullptr) {
            length = static_cast<std::size_t>(end - begin);
            s.from += length + 1;
        } else if (s.ended) {
            length = s.to - s.from;
            if (length == 0) return false;
            s.from = s.to;
        } else {
            if (s.to - s.from > s.limits.line_max) length = s.to - s.from;
            if (length == 0) {
                searched = s.to - s.from;
                WEIR_CHECK(s.fill());
                continue;
            }
        }
        ++s.line;
        if (length > s.limits.line_max) {
            return fail(Code::too_large,
                        fmt::format("{}: a line of more than {} bytes; no log has such lines",
                                    here(),
                                    format_count(s.limits.line_max)));
        }
        if (length > 0 && begin[length - 1] == '\r') --length;
        line = std::string_view(begin, length);
        return true;
    }
}

std::uint64_t LineReader::line_number() const {
    return source_->line;
}
const std::string& LineReader::name() const {
    return source_->name;
}
std::string LineReader::here() const {
    return fmt::format("{}:{}", source_->name, source_->line);
}

double LineReader::share_read() const {
    const Source& s = *source_;
    if (s.raw_total == 0) return 0;
    // What waits in the buffers was read from the file but not by the caller.
    const std::uint64_t waiting = s.gzip ? s.stream.avail_in : s.packed_size - s.packed_at;
    return std::min(1.0,
                    static_cast<double>(s.raw_read - waiting) / static_cast<double>(s.raw_total));
}

Result<std::string> read_whole_file(const std::string& path, std::uint64_t bytes_max) {
    WEIR_TRY(LineReader reader, LineReader::open(path, {bytes_max, bytes_max}));
    std::string text;
    std::string_view line;
    for (;;) {
        WEIR_TRY(const bool more, reader.next(line));
        if (!more) return text;
        text.append(line);
        text.push_back('\n');
    }
}

}  // namespace weir::sim
