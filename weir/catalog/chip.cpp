#include "weir/catalog/chip.hpp"

#include <array>

#include <nlohmann/json.hpp>

namespace weir::catalog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> basis_names{
    "measured", "published", "derived", "vendor_peak", "assumed"};

Result<std::string> text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
        return fail(Code::invalid, std::string("chip record: ") + key + " must be a text");
    }
    return found->get<std::string>();
}

Result<Rate> rate_of(const Json& json) {
    if (!json.is_object()) return fail(Code::invalid, "chip record: a rate must be an object");
    Rate rate;
    WEIR_TRY(rate.format, text_of(json, "format"));
    WEIR_TRY(rate.op, text_of(json, "op"));
    WEIR_TRY(const std::string basis, text_of(json, "basis"));
    const auto known = basis_from_name(basis);
    if (!known) {
        return fail(Code::invalid,
                    "chip record: basis '" + basis +
                        "' is not one of measured, published, derived, "
                        "vendor_peak, assumed");
    }
    rate.basis = *known;
    const auto value = json.find("value");
    if (value == json.end() || !value->is_number() || !(value->get<double>() >= 0)) {
        return fail(Code::invalid, "chip record: value must be a number from 0");
    }
    rate.value = value->get<double>();
    if (const auto date = json.find("date_ms"); date != json.end()) {
        if (!date->is_number_integer()) {
            return fail(Code::invalid, "chip record: date_ms must be an integer");
        }
        rate.date = Time{Duration{date->get<std::int64_t>()}};
    }
    return rate;
}

}  // namespace

std::string_view name_of(Basis basis) {
    return basis_names.at(static_cast<std::size_t>(basis));
}

std::optional<Basis> basis_from_name(std::string_view name) {
    for (std::size_t i = 0; i < basis_names.size(); ++i) {
        if (basis_names.at(i) == name) return static_cast<Basis>(i);
    }
    return std::nullopt;
}

const Rate* ChipRecord::rate(std::string_view format, std::string_view op) const {
    const Rate* best = nullptr;
    for (const Rate& one : rates) {
        if (one.format != format || one.op != op) continue;
        const bool better = best == nullptr || one.basis < best->basis ||
                            (one.basis == best->basis && one.date > best->date);
        if (better) best = &one;
    }
    return best;
}

std::string chip_to_json(const ChipRecord& chip) {
    Json rates = Json::array();
    for (const Rate& rate : chip.rates) {
        Json json{{"format", rate.format},
                  {"op", rate.op},
                  {"value", rate.value},
                  {"basis", name_of(rate.basis)}};
        if (rate.date) json["date_ms"] = rate.date->time_since_epoch().count();
        rates.push_back(std::move(json));
    }
    const Json json{{"name", chip.name},
                    {"vendor", chip.vendor},
                    {"memory_bytes", chip.memory.count},
                    {"rates", std::move(rates)}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ChipRecord> chip_from_json(std::string_view text) {
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object()) return fail(Code::invalid, "chip record: is no JSON object");
    ChipRecord chip;
    WEIR_TRY(chip.name, text_of(json, "name"));
    WEIR_TRY(chip.vendor, text_of(json, "vendor"));
    const auto memory = json.find("memory_bytes");
    if (memory == json.end() || !memory->is_number_integer() || memory->get<std::int64_t>() < 0) {
        return fail(Code::invalid, "chip record: memory_bytes must be an integer from 0");
    }
    chip.memory = Bytes{memory->get<std::int64_t>()};
    const auto rates = json.find("rates");
    if (rates == json.end() || !rates->is_array()) {
        return fail(Code::invalid, "chip record: rates must be a list");
    }
    for (const Json& item : *rates) {
        WEIR_TRY(Rate rate, rate_of(item));
        chip.rates.push_back(std::move(rate));
    }
    return chip;
}

}  // namespace weir::catalog
