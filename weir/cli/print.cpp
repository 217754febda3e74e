#include "weir/cli/print.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>

#include "weir/base/schema.hpp"
#include "weir/base/text_table.hpp"

namespace weir::cli {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void out(std::string_view text) {
    if (write_all(1, text)) return;
    if (errno == EPIPE) std::_Exit(status_pipe_closed);
    note(fmt::format("standard output cannot be written (error {})", errno));
    std::_Exit(status_failed);
}

void end_if_nobody_reads() {
    pollfd reader = {1, 0, 0};
    if (::poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0) {
        std::_Exit(status_pipe_closed);
    }
}

void out_json(std::string_view json) {
    while (!json.empty() && json.back() == '\n')
        json.remove_suffix(1);
    out(std::string(json) + "\n");
}

void note(std::string_view sentence) {
    // Nothing can be said when standard error itself is closed.
    static_cast<void>(write_all(2, fmt::format("weir: {}\n", sentence)));
}

int report(const Error& error) {
    static_cast<void>(
        write_all(2, fmt::format("{} {}\n", paint("weir:", Tone::bad, 2), error.message)));
    return exit_status_of(error.code);
}

std::string wrapped(std::string_view text, std::size_t column, std::size_t width) {
    if (width == 0) return std::string(text);
    std::string lines;
    std::size_t at = column;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        const std::size_t size = display_width(word);
        if (at > column && at + 1 + size > width) {
            lines += "\n" + std::string(column, ' ');
            at = column;
        }
        if (at > column) {
            lines += ' ';
            ++at;
        }
        lines += word;
        at += size;
        begin = end + 1;
    }
    return lines;
}

std::size_t output_width() {
    return ::isatty(1) == 1 ? terminal_width() : 0;
}

bool colour_on(int fd) {
    if (const char* off = std::getenv("NO_COLOR"); off != nullptr && *off != '\0') return false;
    if (const char* term = std::getenv("TERM");
        term == nullptr || std::string_view(term) == "dumb") {
        return false;
    }
    return ::isatty(fd) == 1;
}

std::string paint(std::string_view text, Tone tone, int fd) {
    if (tone == Tone::plain || !colour_on(fd)) return std::string(text);
    const char* code = "0";
    switch (tone) {
        case Tone::plain:
            break;
        case Tone::good:
            code = "32";
            break;
        case Tone::bad:
            code = "31";
            break;
        case Tone::busy:
            code = "36";
            break;
        case Tone::waiting:
            code = "33";
            break;
        case Tone::quiet:
            code = "2";
            break;
        case Tone::strong:
            code = "1";
            break;
    }
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Tone tone_of_state(std::string_view state) {
    if (state == "succeeded" || state == "ok") return Tone::good;
    if (state == "running" || state == "stopping") return Tone::busy;
    if (state == "pending" || state == "held" || state == "warn") return Tone::waiting;
    if (state == "cancelled") return Tone::quiet;
    if (state == "failed" || state == "time_limit" || state == "lost" || state == "fail") {
        return Tone::bad;
    }
    return Tone::plain;
}

namespace {

// Bytes of the UTF-8 character at the front.
std::size_t character_size(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return std::min(size, text.size());
}

// Where the given terminal column begins in the line, as a byte position.
std::size_t byte_at_column(std::string_view line, std::size_t column) {
    std::size_t byte = 0;
    std::size_t at = 0;
    while (byte < line.size() && at < column) {
        const std::size_t size = character_size(line.substr(byte));
        at += display_width(line.substr(byte, size));
        byte += size;
    }
    return byte;
}

}  // namespace

std::string paint_column(const std::string& table,
                         std::string_view title,
                         const std::function<Tone(std::string_view)>& tone_of) {
    if (!colour_on(1)) return table;
    const std::size_t header_end = table.find('\n');
    if (header_end == std::string::npos) return table;
    const std::string_view header = std::string_view(table).substr(0, header_end);
    // The title stands alone, or a longer title that contains it would be taken for it.
    std::size_t byte = std::string_view::npos;
    for (std::size_t at = header.find(title); at != std::string_view::npos;
         at = header.find(title, at + 1)) {
        const bool begins = at == 0 || header[at - 1] == ' ';
        const bool ends = at + title.size() == header.size() || header[at + title.size()] == ' ';
        if (begins && ends) byte = at;
        if (byte != std::string_view::npos) break;
    }
    if (byte == std::string_view::npos) return table;
    const std::size_t column = display_width(header.substr(0, byte));

    std::string painted = paint(header, Tone::quiet) + "\n";
    std::size_t begin = header_end + 1;
    while (begin < table.size()) {
        const std::size_t end = std::min(table.find('\n', begin), table.size());
        const std::string_view line = std::string_view(table).substr(begin, end - begin);
        const std::size_t from = byte_at_column(line, column);
        const std::size_t to = std::min(line.find(' ', from), line.size());
        const std::string_view word = line.substr(from, to - from);
        painted += line.substr(0, from);
        painted += paint(word, tone_of(word));
        painted += line.substr(to);
        painted += '\n';
        begin = end + 1;
    }
    return painted;
}

std::string duration_cell(std::int64_t duration_ms) {
    // Tables show seconds from one second on: "12s" is enough where "11.482s" is meant.
    if (duration_ms >= 1000) duration_ms -= duration_ms % 1000;
    return format_duration(Duration{std::max<std::int64_t>(duration_ms, 0)});
}

std::string duration_cell(std::optional<std::int64_t> from_ms, std::optional<std::int64_t> to_ms) {
    if (!from_ms || !to_ms) return "-";
    return duration_cell(*to_ms - *from_ms);
}

std::string time_cell(std::optional<std::int64_t> at_ms) {
    if (!at_ms) return "-";
    return format_time(Time{Duration{*at_ms - *at_ms % 1000}});
}

std::string start_cell(std::optional<std::int64_t> at_ms, bool promised) {
    if (!at_ms) return "-";
    const std::time_t at = *at_ms / 1000;
    const std::time_t now = now_ms() / 1000;
    std::tm then{};
    std::tm today{};
    if (::localtime_r(&at, &then) == nullptr || ::localtime_r(&now, &today) == nullptr) return "-";
    std::array<char, 32> text{};
    const bool is_today = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
    const std::size_t length =
        std::strftime(text.data(), text.size(), is_today ? "%H:%M" : "%m-%d %H:%M", &then);
    return (promised ? "by " : "~") + std::string(text.data(), length);
}

std::string number_cell(double value) {
    if (value == std::floor(value) && std::abs(value) < 1e15) {
        return fmt::format("{}", static_cast<std::int64_t>(value));
    }
    std::string text = fmt::format("{:.3f}", value);
    while (text.back() == '0')
        text.pop_back();
    return text;
}

std::int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& words) {
    return std::string(schema::nearest(wrong, {words.begin(), words.end()}).value_or(""));
}

std::string shell_quoted(std::string_view word) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_-./=:,+@%").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
    std::string quoted = "'";
    for (const char c : word) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

}  // namespace weir::cli
