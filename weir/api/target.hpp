// Target: what a request line asks for, taken apart: "/v1/jobs/12/logs?offset=0".
//
// The path is split at its slashes first and decoded afterwards, so a name that contains "%2F" is
// one segment. Every byte comes from outside: bad escapes, control characters and oversized
// targets are refused in one sentence, and a query parameter that nobody reads is an error that
// lists the ones that exist (expect_only), so that a misspelt filter does not show everything.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::api {

struct Target {
    std::vector<std::string> segments;  // "/v1/jobs/12" -> v1, jobs, 12; "/" -> none
    std::vector<std::pair<std::string, std::string>> query;

    // The value of a query parameter; null when absent. Requires (of the client): given once.
    [[nodiscard]] const std::string* find(std::string_view name) const;
    // A whole number from low to high; none when absent.
    [[nodiscard]] Result<std::optional<std::uint64_t>> number(std::string_view name,
                                                              std::uint64_t low,
                                                              std::uint64_t high) const;
    // An error when a parameter is not among `known`, or stands there twice.
    [[nodiscard]] Result<void> expect_only(std::initializer_list<std::string_view> known) const;

    friend bool operator==(const Target&, const Target&) = default;
};

Result<Target> parse_target(std::string_view text);

// Escapes a path segment or a query value, so that parse_target gives it back.
std::string encode_component(std::string_view text);
// The text of a target: parse_target(text_of(target)) == target.
std::string text_of(const Target& target);

}  // namespace weir::api
