// Arguments: the words behind a benchmark's name, each option asked for once.
//
//     Arguments given("bench_packing", count, words);
//     const bool json = given.has("--json");
//     const std::uint64_t seeds = given.number("--seeds", 5, 1000);
//     given.no_more();
//
// What is wrong ends the program with status 2 and a sentence that names the option and what is
// valid.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

class Arguments {
public:
    Arguments(std::string program, int count, char** words)
        : program_(std::move(program)), left_(words + 1, words + count) {}

    bool has(std::string_view option) {
        asked_ += fmt::format(" {}", option);
        const std::size_t at = find(option);
        if (at == left_.size()) return false;
        left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }
    std::string text(std::string_view option, std::string otherwise) {
        asked_ += fmt::format(" {}", option);
        const std::size_t at = find(option);
        if (at == left_.size()) return otherwise;
        if (at + 1 == left_.size()) stop(fmt::format("{} needs a value", option));
        std::string value = std::move(left_[at + 1]);
        const auto place = left_.begin() + static_cast<std::ptrdiff_t>(at);
        left_.erase(place, place + 2);
        return value;
    }
    // From 1 to `most`, where it is given.
    std::uint64_t number(std::string_view option, std::uint64_t otherwise, std::uint64_t most) {
        const std::string value = text(option, "");
        if (value.empty()) return otherwise;
        std::uint64_t number = 0;
        const char* const end = value.data() + value.size();
        const auto read = std::from_chars(value.data(), end, number);
        if (read.ec != std::errc{} || read.ptr != end || number < 1 || number > most)
            stop(fmt::format("{}: a number from 1 to {}", option, most));
        return number;
    }
    void no_more() const {
        if (!left_.empty()) stop(fmt::format("{} is unknown; valid:{}", left_.front(), asked_));
    }
    [[noreturn]] void stop(std::string_view why) const {
        fmt::print(stderr, "{}: {}\n", program_, why);
        std::exit(2);
    }

private:
    [[nodiscard]] std::size_t find(std::string_view option) const {
        std::size_t at = 0;
        while (at < left_.size() && left_[at] != option)
            ++at;
        return at;
    }

    std::string program_;
    std::vector<std::string> left_;
    std::string asked_;
};

}  // namespace weir::bench
