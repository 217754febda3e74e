// Reads the keys of a config.json and keeps the first thing that is wrong with them.
//
// Asking never fails: what is missing or wrong gives a number that nobody will use, because the
// caller looks at sound() before it believes what it has read. Each problem names the key with its
// path, the value and what would be valid. A key that is null is as one that is absent.
//
// Threads: one reader belongs to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace weir::catalog {

// What one thing is called, the usual word first.
struct HfNames {
    std::string_view first{};
    std::string_view second{};
    std::string_view third{};
};

class HfReader {
public:
    // `outer` is the object around this one, or nullptr; `prefix` its path, "text_config.";
    // `family` stands in error texts. All are borrowed.
    HfReader(const nlohmann::json& object,
             const nlohmann::json* outer,
             std::string prefix,
             std::string_view family)
        : object_(&object), outer_(outer), prefix_(std::move(prefix)), family_(family) {}

    [[nodiscard]] bool sound() const { return problem_.empty(); }
    // "num_hidden_layers: 0 is not …"; "" while nothing is wrong.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    void say(std::string_view key, std::string_view what);
    // What a reader of an object inside found wrong.
    void take(const HfReader& inside);

    [[nodiscard]] bool has(std::string_view key) const;
    // As it is written, cut where it is long; "" where it is absent.
    [[nodiscard]] std::string raw(std::string_view key) const;

    // A whole number within [low, high]; several names must not contradict each other.
    std::optional<std::uint32_t> given(const HfNames& names, std::uint32_t low, std::uint32_t high);
    std::uint32_t given_or(const HfNames& names,
                           std::uint32_t low,
                           std::uint32_t high,
                           std::uint32_t otherwise);
    // From 1; 0 where it is missing, which is then the problem.
    std::uint32_t needed(const HfNames& names, std::uint32_t high);
    bool flag(std::string_view key, bool otherwise);
    // Also where it is said beside the object, not in it.
    bool outer_flag(std::string_view key, bool otherwise);
    // Lists of whole numbers from 0, of texts; nothing where the key is absent.
    std::optional<std::vector<std::uint32_t>> numbers(std::string_view key);
    std::optional<std::vector<std::string>> texts(std::string_view key);
    // An object inside; where it is absent every key of it is.
    HfReader inside(std::string_view key);

private:
    [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
    std::optional<std::uint32_t> number(std::string_view key,
                                        const nlohmann::json& value,
                                        std::uint32_t low,
                                        std::uint32_t high);
    bool flag(std::string_view key, const nlohmann::json* value, bool otherwise);

    const nlohmann::json* object_;
    const nlohmann::json* outer_;
    std::string prefix_;
    std::string_view family_;
    std::string problem_;
};

// A value as an error text shows it.
std::string shown(const nlohmann::json& value);

}  // namespace weir::catalog
