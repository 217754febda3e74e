#include "weir/cli/option_values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "weir/cli/print.hpp"

namespace weir::cli {

void one_of(CLI::Option* option, const std::vector<std::string>& words) {
    std::string type;
    for (const std::string& word : words)
        type += (type.empty() ? "" : "|") + word;
    option->type_name(type);
    option->check(CLI::Validator(
        [words, type](std::string& given) -> std::string {
            for (const std::string& word : words) {
                if (word == given) return {};
            }
            const std::string near = nearest(given, words);
            return fmt::format("\"{}\" is none of {}{}",
                               given,
                               type,
                               near.empty() ? "" : " (did you mean " + near + "?)");
        },
        ""));
}

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
    return CLI::Validator(
        [least, most](std::string& given) -> std::string {
            const bool digits = !given.empty() && given.size() <= 18 &&
                                given.find_first_not_of("0123456789") == std::string::npos;
            const std::uint64_t value = digits ? std::stoull(given) : 0;
            if (digits && value >= least && value <= most) return {};
            return digits && value > most
                       ? fmt::format("\"{}\" is more than the {} that there may be", given, most)
                       : fmt::format("\"{}\" is no whole number from {} on", given, least);
        },
        "");
}

CLI::Validator number(double least, double most) {
    return CLI::Validator(
        [least, most](std::string& given) -> std::string {
            double value = 0;
            const char* const end = given.data() + given.size();
            const auto read = std::from_chars(given.data(), end, value);
            const bool is_in =
                value >= least && value <= most && !(least >= 0 && std::signbit(value));
            if (read.ec == std::errc{} && read.ptr == end && is_in) return {};
            return fmt::format("\"{}\" is no number from {} to {}", given, least, most);
        },
        "");
}

CLI::Validator not_empty() {
    return CLI::Validator(
        [](std::string& given) -> std::string {
            return given.empty() ? "\"\" is no value; give one, or leave the option out" : "";
        },
        "");
}

}  // namespace weir::cli
