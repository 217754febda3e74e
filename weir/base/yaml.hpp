// YAML as a plain tree, read from text that nobody trusts.
//
// The tree has three kinds of node and remembers where each stood; it says nothing about types.
// `no`, `1e3` and `08:30` are just scalars here, and the schema (schema.hpp) decides what they
// mean. JSON is accepted, being nearly a subset.
//
// What can hurt is refused with a place: too many bytes, nodes or levels, aliases that multiply
// (they are expanded here, and every copy counts), duplicate keys, keys that are no scalars, merge
// keys, tags, several documents, NUL bytes and broken UTF-8. yaml-cpp stays behind this header.
//
// Threads: pure functions; a Node is a value.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"

namespace weir::yaml {

// Where a thing begins, counted from 1 as editors do; 0 = nowhere.
struct Place {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    friend constexpr auto operator<=>(const Place&, const Place&) = default;
};

enum class Kind : std::uint8_t { scalar, sequence, map };

struct Key {
    std::string text;
    Place place;
};

struct Node {
    Kind kind = Kind::scalar;
    bool quoted = false;  // a scalar in quotes or a block; false = plain
    Place place;
    std::string text;         // of a scalar
    std::vector<Key> keys;    // of a map, all different, in the order of the text
    std::vector<Node> items;  // of a sequence; of a map: items[i] belongs to keys[i]

    // The value of a key, or nullptr. A linear search: maps of users are small.
    [[nodiscard]] const Node* find(std::string_view key) const;
    // Nothing was written: `key:`, `key: ~`, `key: null`.
    [[nodiscard]] bool is_null() const;
};

struct Limits {
    std::size_t bytes_max = std::size_t{1} << 20;
    std::size_t nodes_max = 200'000;  // after aliases are expanded
    std::size_t depth_max = 64;
};

inline constexpr Limits job_limits{};
inline constexpr Limits fleet_limits{std::size_t{16} << 20, 2'000'000, 64};

// The one document in `text`. `source` is put in front of every error: "jobs/a.yaml:3:5: ...".
Result<Node> parse(std::string_view text, std::string_view source, const Limits& limits = {});

// parse() of a file; "-" is the standard input. A file over the limit is refused by its size.
Result<Node> parse_file(const std::string& path, const Limits& limits = {});

// "jobs/a.yaml:3:5"
std::string place_text(std::string_view source, Place place);

// The tree as flow YAML with every scalar in double quotes; parse() of it gives an equal tree
// (places and quoting aside). For tests and fuzzing.
std::string print(const Node& node);
// Equal shape and scalars, whatever the places and quotes.
bool same(const Node& a, const Node& b);

}  // namespace weir::yaml
