// Progress: a bar with an estimate of the time left, on standard error.
//
// It shows nothing for the first half second, so quick work stays quiet. On a terminal one line
// is redrawn a few times a second and wiped at the end; elsewhere a plain line appears every ten
// seconds, so that a log of a long run shows that it is alive. at() costs a comparison and, now
// and then, a look at the clock: call it as often as is convenient.
//
//     Progress progress("simulating", jobs, "jobs");
//     for (...) progress.at(++done);
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

class Progress {
public:
    // total 0 = unknown: counts without a bar. quiet = never shows anything.
    Progress(std::string title, std::uint64_t total, std::string unit, bool quiet = false);
    ~Progress();  // wipes the line
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void at(std::uint64_t done) {
        done_ = done;
        if (done >= look_again_) look();
    }
    // What is being done at the moment, shown behind the bar.
    void note(std::string_view text);
    void finish();

private:
    void look();
    void draw(std::chrono::steady_clock::time_point now);

    std::string title_;
    std::string unit_;
    std::string note_;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t look_again_ = 0;
    bool quiet_ = false;
    bool terminal_ = false;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point began_;
    std::chrono::steady_clock::time_point drawn_at_;
    std::chrono::steady_clock::time_point looked_at_;
    std::uint64_t looked_done_ = 0;
};

// "[#####.....]" of `width` inner columns; fraction is clamped to 0..1.
std::string bar(double fraction, std::size_t width);

}  // namespace weir::cli
