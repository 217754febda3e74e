#include "weir/catalog/chip.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

namespace weir::catalog {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string_view> bases{
    "measured", "published", "derived", "vendor_peak", "assumed"};

tl::unexpected<Error> wrong(const std::string& what) {
    return fail(Code::invalid, "chip record: " + what);
}

Result<std::string> text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
        return wrong(std::string(key) + " must be a text");
    }
    return found->get<std::string>();
}

// What may be absent keeps its default.
Result<void> read(const Json& json, const char* key, std::string& value) {
    if (json.find(key) == json.end()) return {};
    WEIR_TRY(value, text_of(json, key));
    return {};
}

Result<void> read(const Json& json, const char* key, double& value) {
    const auto found = json.find(key);
    if (found == json.end()) return {};
    if (!found->is_number() || !(found->get<double>() >= 0)) {
        return wrong(std::string(key) + " must be a number from 0");
    }
    value = found->get<double>();
    return {};
}

Result<void> read(const Json& json, const char* key, std::uint32_t& value) {
    const auto found = json.find(key);
    if (found == json.end()) return {};
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > 1'000'000) {
        return wrong(std::string(key) + " must be a whole number from 0 to 1000000");
    }
    value = found->get<std::uint32_t>();
    return {};
}

Result<void> read(const Json& json, const char* key, std::vector<std::string>& values) {
    const auto found = json.find(key);
    if (found == json.end()) return {};
    if (!found->is_array()) return wrong(std::string(key) + " must be a list of texts");
    for (const Json& item : *found) {
        if (!item.is_string()) return wrong(std::string(key) + " must be a list of texts");
        values.push_back(item.get<std::string>());
    }
    return {};
}

std::string listed(const std::vector<std::string_view>& words) {
    std::string text;
    for (const std::string_view word : words)
        text += (text.empty() ? "" : ", ") + std::string(word);
    return text;
}

// A word of a closed list.
template <class T, class Parse>
Result<void> read(const Json& json,
                  const char* key,
                  T& value,
                  Parse parse,
                  const std::vector<std::string_view>& valid) {
    WEIR_TRY(const std::string word, text_of(json, key));
    const auto known = parse(word);
    if (!known) {
        return wrong(std::string(key) + " '" + word + "' is not one of " + listed(valid));
    }
    value = *known;
    return {};
}

Result<void> read_sizes(const Json& json, Rate& rate) {
    const auto found = json.find("by_dim");
    if (found == json.end()) return {};
    const std::string problem = "by_dim must be a list of [size, rate], by ascending sizes from 1";
    if (!found->is_array()) return wrong(problem);
    for (const Json& pair : *found) {
        const bool sound = pair.is_array() && pair.size() == 2 && pair[0].is_number_unsigned() &&
                           pair[1].is_number() && is_sound_rate(pair[1].get<double>());
        if (!sound) return wrong(problem);
        const auto dim = pair[0].get<std::uint64_t>();
        if (dim <= (rate.by_dim.empty() ? 0 : rate.by_dim.back().first)) return wrong(problem);
        rate.by_dim.emplace_back(dim, pair[1].get<double>());
    }
    return {};
}

Result<Rate> rate_of(const Json& json) {
    if (!json.is_object()) return wrong("a rate must be an object");
    Rate rate;
    WEIR_TRY(rate.format, text_of(json, "format"));
    WEIR_TRY(rate.op, text_of(json, "op"));
    WEIR_CHECK(read(json, "basis", rate.basis, basis_from_name, bases));
    if (json.find("value") == json.end()) return wrong("value must be a number from 0");
    WEIR_CHECK(read(json, "value", rate.value));
    if (!is_sound_rate(rate.value)) return wrong("value must be 0, or from 1 to 1e24");
    if (const auto date = json.find("date_ms"); date != json.end()) {
        if (!date->is_number_integer()) return wrong("date_ms must be an integer");
        rate.date = Time{Duration{date->get<std::int64_t>()}};
    }
    if (json.find("way") != json.end()) {
        WEIR_CHECK(read(json, "way", rate.way, way_from_name, way_names()));
    }
    if (json.find("grade") != json.end()) {
        WEIR_CHECK(read(json, "grade", rate.grade, grade_from_name, grade_names()));
    }
    WEIR_CHECK(read(json, "method", rate.method));
    if (json.find("range_bits") != json.end()) {
        WEIR_CHECK(read(json, "range_bits", rate.range_bits.emplace()));
    }
    WEIR_CHECK(read_sizes(json, rate));
    WEIR_CHECK(read(json, "memory_factor", rate.memory_factor));
    if (const auto exact = json.find("exact"); exact != json.end()) {
        if (!exact->is_boolean()) return wrong("exact must be true or false");
        rate.exact = exact->get<bool>();
    }
    WEIR_CHECK(read(json, "source", rate.source));
    return rate;
}

Json json_of(const Rate& rate) {
    Json json{{"format", rate.format},
              {"op", rate.op},
              {"value", rate.value},
              {"basis", name_of(rate.basis)}};
    if (rate.date) json["date_ms"] = rate.date->time_since_epoch().count();
    if (rate.way != Way::native) json["way"] = name_of(rate.way);
    if (!rate.method.empty()) json["method"] = rate.method;
    if (rate.grade != Grade::strict) json["grade"] = name_of(rate.grade);
    if (rate.range_bits) json["range_bits"] = *rate.range_bits;
    for (const auto& [dim, value] : rate.by_dim)
        json["by_dim"].push_back(Json::array({dim, value}));
    if (rate.memory_factor != 1) json["memory_factor"] = rate.memory_factor;
    if (rate.exact) json["exact"] = *rate.exact;
    if (!rate.source.empty()) json["source"] = rate.source;
    return json;
}

}  // namespace

std::string_view name_of(Basis basis) {
    return bases.at(static_cast<std::size_t>(basis));
}

std::optional<Basis> basis_from_name(std::string_view name) {
    for (std::size_t i = 0; i < bases.size(); ++i) {
        if (bases.at(i) == name) return static_cast<Basis>(i);
    }
    return std::nullopt;
}

const std::vector<std::string_view>& basis_names() {
    return bases;
}

double discount_of(Basis basis) {
    constexpr std::array<double, 5> shares{1.0, 0.9, 0.75, 0.5, 0.3};
    return shares.at(static_cast<std::size_t>(basis));
}

bool better_founded(const Rate& one, const Rate& other) {
    if (one.basis != other.basis) return one.basis < other.basis;
    return one.date > other.date;
}

double rate_at(const Rate& rate, std::uint64_t dim) {
    const auto& sizes = rate.by_dim;
    if (sizes.empty()) return rate.value;
    if (dim >= sizes.back().first) return sizes.back().second;
    if (dim <= sizes.front().first) {
        return sizes.front().second * static_cast<double>(dim) /
               static_cast<double>(sizes.front().first);
    }
    const auto above =
        std::lower_bound(sizes.begin(), sizes.end(), dim, [](const auto& one, std::uint64_t size) {
            return one.first < size;
        });
    const auto below = above - 1;
    const double part =
        std::log(static_cast<double>(dim) / static_cast<double>(below->first)) /
        std::log(static_cast<double>(above->first) / static_cast<double>(below->first));
    return below->second + part * (above->second - below->second);
}

const Rate* ChipRecord::rate(std::string_view format, std::string_view op, Way way) const {
    const Rate* best = nullptr;
    for (const Rate& one : rates) {
        if (one.way != way || one.format != format || one.op != op) continue;
        if (best == nullptr || better_founded(one, *best)) best = &one;
    }
    return best;
}

std::string chip_to_json(const ChipRecord& chip) {
    Json rates = Json::array();
    for (const Rate& rate : chip.rates)
        rates.push_back(json_of(rate));
    Json json{{"name", chip.name}, {"vendor", chip.vendor}, {"memory_bytes", chip.memory.count}};
    if (!chip.aliases.empty()) json["aliases"] = chip.aliases;
    if (!chip.product.empty()) json["product"] = chip.product;
    if (!chip.stacks.empty()) json["stacks"] = chip.stacks;
    if (chip.domestic) json["domestic"] = true;
    if (chip.year != 0) json["year"] = chip.year;
    if (chip.link_bytes_per_s != 0) json["link_bytes_per_s"] = chip.link_bytes_per_s;
    if (chip.tdp_watts != 0) json["tdp_watts"] = chip.tdp_watts;
    if (chip.devices != 1) json["devices"] = chip.devices;
    if (!chip.note.empty()) json["note"] = chip.note;
    json["rates"] = std::move(rates);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ChipRecord> chip_from_json(std::string_view text) {
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object()) return wrong("is no JSON object");
    ChipRecord chip;
    WEIR_TRY(chip.name, text_of(json, "name"));
    WEIR_TRY(chip.vendor, text_of(json, "vendor"));
    const auto memory = json.find("memory_bytes");
    if (memory == json.end() || !memory->is_number_integer() || memory->get<std::int64_t>() < 0) {
        return wrong("memory_bytes must be an integer from 0");
    }
    chip.memory = Bytes{memory->get<std::int64_t>()};
    WEIR_CHECK(read(json, "aliases", chip.aliases));
    WEIR_CHECK(read(json, "product", chip.product));
    WEIR_CHECK(read(json, "stacks", chip.stacks));
    if (const auto domestic = json.find("domestic"); domestic != json.end()) {
        if (!domestic->is_boolean()) return wrong("domestic must be true or false");
        chip.domestic = domestic->get<bool>();
    }
    WEIR_CHECK(read(json, "year", chip.year));
    WEIR_CHECK(read(json, "link_bytes_per_s", chip.link_bytes_per_s));
    WEIR_CHECK(read(json, "tdp_watts", chip.tdp_watts));
    WEIR_CHECK(read(json, "devices", chip.devices));
    WEIR_CHECK(read(json, "note", chip.note));
    const auto rates = json.find("rates");
    if (rates == json.end() || !rates->is_array()) return wrong("rates must be a list");
    for (const Json& item : *rates) {
        WEIR_TRY(Rate rate, rate_of(item));
        chip.rates.push_back(std::move(rate));
    }
    return chip;
}

}  // namespace weir::catalog
