#include "weir/sim/sidecar.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "weir/sim/line_reader.hpp"

namespace weir::sim {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t sidecar_bytes_max = std::uint64_t{16} << 20;
constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max() - 1;

std::string short_dump(const Json& value) {
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() > 40) text = text.substr(0, 40) + "...";
    return text;
}

tl::unexpected<Error> wrong(const std::string& place, const Json& value, std::string_view valid) {
    return fail(Code::invalid, fmt::format("{} is {}; {}", place, short_dump(value), valid));
}

Result<std::uint32_t> count_of(const Json& value, const std::string& place, std::uint64_t limit) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= limit) {
        return static_cast<std::uint32_t>(value.get<std::uint64_t>());
    }
    return wrong(place, value, fmt::format("a whole number from 0 to {} is needed", limit));
}

// 0 where the key is absent or null.
Result<double> amount_of(const Json& group,
                         const char* key,
                         const std::string& place,
                         double limit) {
    const auto found = group.find(key);
    if (found == group.end() || found->is_null()) return 0.0;
    if (found->is_number()) {
        const double value = found->get<double>();
        if (std::isfinite(value) && value >= 0 && value <= limit) return value;
    }
    return wrong(fmt::format("{}.{}", place, key),
                 *found,
                 fmt::format("a number from 0 to {} is needed", limit));
}

Result<fleet::Pool> pool_of(const Json& group, const std::string& place, const std::string& site) {
    if (!group.is_object()) return wrong(place, group, "a node group is an object");
    fleet::Pool pool;
    pool.site = site;
    const auto name = group.find("name");
    if (name == group.end() || !name->is_string() || name->get_ref<const std::string&>().empty()) {
        return wrong(
            place + ".name", name == group.end() ? Json() : *name, "every node group needs a name");
    }
    pool.name = name->get<std::string>();
    const auto nodes = group.find("count");
    if (nodes == group.end())
        return wrong(place + ".count", Json(), "the number of nodes is needed");
    WEIR_TRY(pool.nodes, count_of(*nodes, place + ".count", most));
    if (const auto devices = group.find("devices"); devices != group.end() && !devices->is_null()) {
        WEIR_TRY(pool.chips_per_node,
                 count_of(*devices, place + ".devices", fleet::chips_per_node_max));
    }
    const auto chip = group.find("chip");
    const bool has_chip = chip != group.end() && !chip->is_null();
    if (has_chip && !chip->is_string()) {
        return wrong(place + ".chip", *chip, "the name of a chip, or null, is needed");
    }
    if (pool.chips_per_node > 0) {
        if (!has_chip || chip->get_ref<const std::string&>().empty()) {
            return wrong(place + ".chip",
                         has_chip ? *chip : Json(),
                         "nodes with devices need the name of their chip");
        }
        pool.chip = chip->get<std::string>();
    }
    WEIR_TRY(const double cpus, amount_of(group, "cpus", place, 1e6));
    pool.cpus_milli = static_cast<std::uint32_t>(std::lround(cpus * 1000));
    WEIR_TRY(const double memory, amount_of(group, "mem_gb", place, 1e9));
    pool.memory = {std::llround(memory * 0x1p30)};
    return pool;
}

Result<void> read_machine(const Json& object,
                          const std::string& place,
                          const std::string& site,
                          Sidecar& sidecar) {
    if (const auto groups = object.find("node_groups"); groups != object.end()) {
        if (!groups->is_array()) {
            return wrong(place + "node_groups", *groups, "a list of node groups is needed");
        }
        sidecar.fleet = {};
        sidecar.fleet.sites.push_back({.name = site});
        std::set<std::string> names;
        for (std::size_t i = 0; i < groups->size(); ++i) {
            const std::string here = fmt::format("{}node_groups[{}]", place, i);
            WEIR_TRY(fleet::Pool pool, pool_of((*groups)[i], here, site));
            if (!names.insert(pool.name).second) {
                return wrong(here + ".name", (*groups)[i]["name"], "two groups have this name");
            }
            if (pool.nodes > 0) sidecar.fleet.pools.push_back(std::move(pool));
        }
    }
    if (const auto quotas = object.find("quotas_devices");
        quotas != object.end() && !quotas->is_null()) {
        if (!quotas->is_object()) {
            return wrong(place + "quotas_devices", *quotas, "an object {group: devices} is needed");
        }
        sidecar.quotas_chips.clear();
        for (const auto& [group, devices] : quotas->items()) {
            WEIR_TRY(const std::uint32_t chips,
                     count_of(devices, fmt::format("{}quotas_devices.{}", place, group), most));
            sidecar.quotas_chips[group] = chips;
        }
    }
    return {};
}

Result<void> read_variant(const Json& json,
                          const std::string& variant,
                          const std::string& path,
                          const std::string& site,
                          Sidecar& sidecar) {
    std::vector<std::string> known;
    const auto variants = json.find("variants");
    if (variants != json.end() && variants->is_object()) {
        if (const auto found = variants->find(variant); found != variants->end()) {
            const std::string place = fmt::format("{}: variants.{}", path, variant);
            if (!found->is_object()) return wrong(place, *found, "a variant is an object");
            return read_machine(*found, place + ".", site, sidecar);
        }
        for (const auto& [name, value] : variants->items())
            known.push_back(name);
    }
    return fail(Code::invalid,
                fmt::format("{}: no variant '{}'; {}",
                            path,
                            variant,
                            known.empty() ? "this trace has none"
                                          : fmt::format("valid: {}", fmt::join(known, ", "))));
}

}  // namespace

Result<Sidecar> parse_sidecar(std::string_view text,
                              const std::string& path,
                              const std::string& site,
                              const std::string& variant) {
    Json json;
    try {
        json = Json::parse(text);
    } catch (const Json::exception& problem) {
        // "[json.exception.parse_error.101] parse error at line 3, column 5: ...": people need
        // what comes after the bracket.
        std::string_view what = problem.what();
        if (const std::size_t end = what.find("] "); end != std::string_view::npos) {
            what.remove_prefix(end + 2);
        }
        return fail(Code::invalid, fmt::format("{}: not valid JSON: {}", path, what));
    }
    if (!json.is_object()) return wrong(path, json, "a sidecar is a JSON object");
    Sidecar sidecar;
    const std::string place = path + ": ";
    WEIR_CHECK(read_machine(json, place, site, sidecar));
    if (!variant.empty()) WEIR_CHECK(read_variant(json, variant, path, site, sidecar));
    if (sidecar.fleet.pools.empty()) {
        return fail(Code::invalid,
                    fmt::format("{}: no nodes; 'node_groups' needs at least one group with a "
                                "count above 0",
                                path));
    }
    if (const auto time = json.find("time"); time != json.end() && time->is_object()) {
        if (const auto zero = time->find("t0"); zero != time->end() && !zero->is_null()) {
            if (!zero->is_string()) {
                return wrong(place + "time.t0", *zero, "a time as text, or null, is needed");
            }
            auto parsed = parse_time(zero->get_ref<const std::string&>());
            if (!parsed) return fail(std::move(parsed).error().at(place + "time.t0"));
            sidecar.zero_utc = *parsed;
        }
    }
    return sidecar;
}

Result<Sidecar> read_sidecar(const std::string& path,
                             const std::string& site,
                             const std::string& variant) {
    WEIR_TRY(const std::string text, read_whole_file(path, sidecar_bytes_max));
    return parse_sidecar(text, path, site, variant);
}

}  // namespace weir::sim
