#include "weir/cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto quiet_at_first = std::chrono::milliseconds(500);
constexpr auto redraw_every = std::chrono::milliseconds(150);
constexpr auto plain_line_every = std::chrono::seconds(10);

}  // namespace

std::string bar(double fraction, std::size_t width) {
    fraction = std::clamp(fraction, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(width)));
    return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

Progress::Progress(std::string title, std::uint64_t total, std::string unit, bool quiet)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(::isatty(2) == 1),
      began_(Clock::now()),
      drawn_at_(began_),
      looked_at_(began_) {}

Progress::~Progress() {
    finish();
}

void Progress::finish() {
    if (drawn_ && terminal_) static_cast<void>(write_all(2, "\r\x1b[K"));
    drawn_ = false;
    quiet_ = true;
}

void Progress::note(std::string_view text) {
    note_ = text;
    look();
}

void Progress::look() {
    if (quiet_) {
        look_again_ = UINT64_MAX;
        return;
    }
    const auto now = Clock::now();
    // Look at the clock about every 20 ms of work, whatever one unit of work costs.
    const double passed = std::chrono::duration<double>(now - looked_at_).count();
    const auto made = static_cast<double>(done_ - std::min(done_, looked_done_));
    const double per_look = passed > 0 ? made / passed * 0.02 : 1.0;
    look_again_ = done_ + static_cast<std::uint64_t>(std::clamp(per_look, 1.0, 1e9));
    looked_at_ = now;
    looked_done_ = done_;

    if (now - began_ < quiet_at_first) return;
    if (terminal_) {
        if (!drawn_ || now - drawn_at_ >= redraw_every) draw(now);
    } else if (now - drawn_at_ >= plain_line_every) {
        draw(now);
    }
}

void Progress::draw(Clock::time_point now) {
    const double passed = std::chrono::duration<double>(now - began_).count();
    std::string text = title_;
    if (total_ > 0) {
        const double fraction = static_cast<double>(done_) / static_cast<double>(total_);
        text += fmt::format(" {} {:3.0f} %", bar(fraction, 24), std::min(fraction, 1.0) * 100);
        text += fmt::format("  {}/{} {}", format_count(done_), format_count(total_), unit_);
        // The estimate is the mean speed so far; it means nothing before a few percent are done.
        if (fraction > 0.02 && fraction < 1.0) {
            const double left = passed / fraction - passed;
            text +=
                fmt::format("  {} left", duration_cell(static_cast<std::int64_t>(left * 1000.0)));
        }
    } else if (done_ > 0) {
        text += fmt::format(" {} {}", format_count(done_), unit_);
    }
    if (!note_.empty()) text += "  " + note_;
    if (terminal_) {
        const std::size_t width = terminal_width(2);
        static_cast<void>(write_all(2, "\r\x1b[K" + shorten(text, width > 1 ? width - 1 : 1)));
    } else {
        static_cast<void>(
            write_all(2,
                      fmt::format("{} ({} passed)\n",
                                  text,
                                  duration_cell(static_cast<std::int64_t>(passed * 1000.0)))));
    }
    drawn_ = true;
    drawn_at_ = now;
}

}  // namespace weir::cli
