#include "weir/catalog/hf_reader.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace weir::catalog {

using Json = nlohmann::json;

std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() <= 60) return text;
    std::size_t end = 57;
    // Not inside a letter of several bytes.
    while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xC0U) == 0x80U)
        --end;
    return text.substr(0, end) + "...";
}

void HfReader::say(std::string_view key, std::string_view what) {
    if (problem_.empty()) problem_ = fmt::format("{}{}: {}", prefix_, key, what);
}

void HfReader::take(const HfReader& inside) {
    if (problem_.empty()) problem_ = inside.problem_;
}

const Json* HfReader::find(std::string_view key) const {
    if (key.empty()) return nullptr;
    const auto found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool HfReader::has(std::string_view key) const {
    return find(key) != nullptr;
}

std::string HfReader::raw(std::string_view key) const {
    const Json* value = find(key);
    return value == nullptr ? "" : shown(*value);
}

std::optional<std::uint32_t> HfReader::number(std::string_view key,
                                              const Json& value,
                                              std::uint32_t low,
                                              std::uint32_t high) {
    if (value.is_number_unsigned()) {
        const auto found = value.get<std::uint64_t>();
        if (found >= low && found <= high) return static_cast<std::uint32_t>(found);
    }
    const bool whole = value.is_number_integer();
    say(key,
        fmt::format(
            "{} is not {}from {} to {}", shown(value), whole ? "" : "a whole number ", low, high));
    return std::nullopt;
}

std::optional<std::uint32_t> HfReader::given(const HfNames& names,
                                             std::uint32_t low,
                                             std::uint32_t high) {
    std::optional<std::uint32_t> found;
    std::string_view said_by;
    for (const std::string_view key : {names.first, names.second, names.third}) {
        const Json* value = find(key);
        if (value == nullptr) continue;
        const auto one = number(key, *value, low, high);
        if (!one) return std::nullopt;
        if (found && *found != *one) {
            say(key, fmt::format("{} contradicts {}: {}", *one, said_by, *found));
            return std::nullopt;
        }
        found = one;
        said_by = key;
    }
    return found;
}

std::uint32_t HfReader::given_or(const HfNames& names,
                                 std::uint32_t low,
                                 std::uint32_t high,
                                 std::uint32_t otherwise) {
    return given(names, low, high).value_or(otherwise);
}

std::uint32_t HfReader::needed(const HfNames& names, std::uint32_t high) {
    if (const auto found = given(names, 1, high)) return *found;
    say(names.first,
        fmt::format("is missing; a config of model_type {} says it, as a whole number from 1 to {}",
                    family_,
                    high));
    return 0;
}

bool HfReader::flag(std::string_view key, const Json* value, bool otherwise) {
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    say(key, fmt::format("{} is neither true nor false", shown(*value)));
    return otherwise;
}

bool HfReader::flag(std::string_view key, bool otherwise) {
    return flag(key, find(key), otherwise);
}

bool HfReader::outer_flag(std::string_view key, bool otherwise) {
    const Json* value = find(key);
    if (value == nullptr && outer_ != nullptr) {
        const auto found = outer_->find(key);
        if (found != outer_->end() && !found->is_null()) value = &*found;
    }
    return flag(key, value, otherwise);
}

std::optional<std::vector<std::uint32_t>> HfReader::numbers(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    std::vector<std::uint32_t> list;
    bool sound = value->is_array();
    for (std::size_t i = 0; sound && i < value->size(); ++i) {
        const Json& item = (*value)[i];
        sound = item.is_number_unsigned() && item.get<std::uint64_t>() <= UINT32_MAX;
        if (sound) list.push_back(item.get<std::uint32_t>());
    }
    if (sound) return list;
    say(key, fmt::format("{} is no list of whole numbers from 0", shown(*value)));
    return std::nullopt;
}

std::optional<std::vector<std::string>> HfReader::texts(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    std::vector<std::string> list;
    bool sound = value->is_array();
    for (std::size_t i = 0; sound && i < value->size(); ++i) {
        const Json& item = (*value)[i];
        sound = item.is_string();
        if (sound) list.push_back(item.get<std::string>());
    }
    if (sound) return list;
    say(key, fmt::format("{} is no list of texts", shown(*value)));
    return std::nullopt;
}

HfReader HfReader::inside(std::string_view key) {
    static const Json empty = Json::object();
    const Json* value = find(key);
    if (value != nullptr && !value->is_object()) {
        say(key, fmt::format("{} is no object", shown(*value)));
        value = nullptr;
    }
    return {
        value == nullptr ? empty : *value, nullptr, fmt::format("{}{}.", prefix_, key), family_};
}

}  // namespace weir::catalog
