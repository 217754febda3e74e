// Reading: a JSON library takes the line apart, a table of what each record holds judges it.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "weir/audit/log_format.hpp"

namespace weir::audit {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t any32 = std::numeric_limits<std::uint32_t>::max() - 1;
constexpr std::uint64_t any63 = std::uint64_t{1} << 62;
constexpr std::uint64_t any_amount = std::uint64_t{1} << 60;  // of a resource

std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() > 40) text = text.substr(0, 37) + "...";
    return text;
}

// One JSON object whose keys are asked for by name. The first problem is kept and everything after
// it gives defaults, so that a record is read in one go and judged once.
class Fields {
public:
    Fields(const Json& json, std::string path, std::optional<Error>& problem)
        : json_(json), path_(std::move(path)), problem_(problem) {
        if (!json.is_object()) wrong("", json, "an object {...}");
    }

    const Json* find(const char* key) {
        if (!json_.is_object()) return nullptr;
        const auto at = json_.find(key);
        if (at == json_.end()) return nullptr;
        ++known_;
        return &*at;
    }
    [[nodiscard]] bool has(const char* key) const {
        return json_.is_object() && json_.contains(key);
    }
    const Json& must(const char* key) {
        static const Json nothing;
        const Json* found = find(key);
        if (found == nullptr) {
            if (!problem_) problem_ = Error{Code::invalid, field(key) + ": is missing"};
            return nothing;
        }
        return *found;
    }

    std::uint64_t number(const char* key, std::uint64_t low, std::uint64_t high) {
        return checked(key, must(key), low, high);
    }
    std::uint64_t number_or(const char* key, std::uint64_t otherwise, std::uint64_t high) {
        const Json* found = find(key);
        return found == nullptr ? otherwise : checked(key, *found, 0, high);
    }
    std::uint32_t small(const char* key, std::uint64_t low = 0, std::uint64_t high = any32) {
        return static_cast<std::uint32_t>(number(key, low, high));
    }
    std::uint32_t small_or(const char* key, std::uint64_t high = any32) {
        return static_cast<std::uint32_t>(number_or(key, 0, high));
    }
    std::int64_t signed_number(const char* key) {
        const Json& value = must(key);
        if (value.is_number_unsigned()) {
            return static_cast<std::int64_t>(checked(key, value, 0, any63));
        }
        if (value.is_number_integer() && value.get<std::int64_t>() > -std::int64_t{any63}) {
            return value.get<std::int64_t>();
        }
        wrong(key, value, "a whole number of milliseconds");
        return 0;
    }
    Time moment(const char* key) { return Time{Duration{signed_number(key)}}; }
    Time moment_or_never(const char* key) {
        if (!json_.is_object() || !json_.contains(key)) return never;
        return moment(key);
    }
    double watts_or(const char* key) {
        const Json* found = find(key);
        if (found == nullptr) return 0;
        return watts(key, *found);
    }
    double watts(const char* key) { return watts(key, must(key)); }
    std::string text(const char* key) {
        const Json& value = must(key);
        if (value.is_string()) return value.get<std::string>();
        wrong(key, value, "a text");
        return {};
    }
    bool yes(const char* key) {
        const Json* found = find(key);
        if (found == nullptr) return false;
        if (found->is_boolean()) return found->get<bool>();
        wrong(key, *found, "true or false");
        return false;
    }
    // One of the words that name_of() gives the values 0 .. last.
    template <class Value>
    Value word(const char* key, Value last) {
        return worded(key, must(key), last);
    }
    template <class Value>
    Value word_or(const char* key, Value last, Value otherwise) {
        const Json* found = find(key);
        return found == nullptr ? otherwise : worded(key, *found, last);
    }
    JobId job(const char* key = "job") { return JobId{number(key, 0, any63)}; }
    Duration span_or(const char* key) {
        return Duration{static_cast<std::int64_t>(number_or(key, 0, any63))};
    }
    // The decimal digits of an amount, as a text.
    Amount amount_or(const char* key) {
        const Json* found = find(key);
        if (found == nullptr) return 0;
        Amount amount = 0;
        const std::string digits = found->is_string() ? found->get<std::string>() : "";
        constexpr std::size_t digits_max = 38;  // of 128 bits
        bool good = !digits.empty() && digits.size() <= digits_max && digits != "0" &&
                    (digits.size() == 1 || digits.front() != '0');
        for (const char digit : digits) {
            good = good && digit >= '0' && digit <= '9';
            if (good) amount = amount * 10 + static_cast<unsigned>(digit - '0');
        }
        if (good) return amount;
        wrong(key, *found, "decimal digits in quotes, of a number above 0");
        return 0;
    }
    const Json& list(const char* key) {
        static const Json none = Json::array();
        const Json& value = must(key);
        if (value.is_array()) return value;
        wrong(key, value, "a list [...]");
        return none;
    }
    // Whole numbers in a list of a fixed length.
    template <std::size_t n>
    std::array<std::uint32_t, n> tuple(const char* key, const Json& value) {
        std::array<std::uint32_t, n> numbers{};
        if (!value.is_array() || value.size() < n) {
            wrong(key, value, fmt::format("a list of {} numbers", n));
            return numbers;
        }
        for (std::size_t i = 0; i < n; ++i) {
            numbers[i] = static_cast<std::uint32_t>(checked(key, value[i], 0, any32));
        }
        return numbers;
    }

    void wrong(const char* key, const Json& value, std::string_view valid) {
        if (problem_) return;
        problem_ = Error{
            Code::invalid,
            fmt::format("{}: {} is not valid; it has to be {}", field(key), shown(value), valid)};
    }
    // Call when everything was asked for.
    void no_more() {
        if (problem_ || !json_.is_object() || known_ == json_.size()) return;
        problem_ = Error{Code::invalid,
                         fmt::format("{} has {} more keys than such a record has ({})",
                                     path_.empty() ? "the record" : path_,
                                     json_.size() - known_,
                                     shown(json_))};
    }
    [[nodiscard]] std::string field(const char* key) const {
        if (*key == '\0') return path_.empty() ? "record" : path_;
        return path_.empty() ? std::string(key) : path_ + "." + key;
    }
    std::optional<Error>& problem() { return problem_; }

private:
    std::uint64_t checked(const char* key,
                          const Json& value,
                          std::uint64_t low,
                          std::uint64_t high) {
        if (value.is_number_unsigned()) {
            const auto number = value.get<std::uint64_t>();
            if (number >= low && number <= high) return number;
        }
        wrong(key, value, fmt::format("a whole number from {} to {}", low, high));
        return low;
    }
    double watts(const char* key, const Json& value) {
        if (value.is_number() && value.get<double>() >= 0 && std::isfinite(value.get<double>())) {
            return value.get<double>();
        }
        wrong(key, value, "a number of watts from 0 on");
        return 0;
    }
    template <class Value>
    Value worded(const char* key, const Json& value, Value last) {
        std::string valid;
        for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i) {
            const std::string_view name = name_of(static_cast<Value>(i));
            if (value.is_string() && value.get_ref<const std::string&>() == name) {
                return static_cast<Value>(i);
            }
            valid += (valid.empty() ? "" : ", ") + std::string(name);
        }
        wrong(key, value, "one of " + valid);
        return last;
    }

    const Json& json_;
    std::string path_;
    std::optional<Error>& problem_;
    std::size_t known_ = 0;
};

fleet::Placement placement_in(Fields& record) {
    fleet::Placement placement;
    const Json& list = record.list("on");
    if (list.empty()) record.wrong("on", list, "at least one run of nodes");
    for (const Json& entry : list) {
        const auto [pool, first, count, replicas, part] = record.tuple<5>("on", entry);
        fleet::NodeRange range{.pool = PoolId{pool},
                               .first = first,
                               .count = count,
                               .replicas = replicas,
                               .part = part};
        bool good = entry.is_array() && entry.size() == 6 && entry[5].is_string() && count > 0;
        if (good) {
            const auto& text = entry[5].get_ref<const std::string&>();
            const char* end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, range.chip_mask, 16);
            good = read.ec == std::errc{} && read.ptr == end;
        }
        if (!good) {
            record.wrong("on",
                         entry,
                         "[pool, first node, nodes, replicas on each, part, \"chips as "
                         "hexadecimal bits\"]");
            break;
        }
        placement.ranges.push_back(range);
    }
    return placement;
}

std::vector<NodeRun> runs_in(Fields& record) {
    std::vector<NodeRun> runs;
    for (const Json& entry : record.list("nodes")) {
        const auto [pool, first, count] = record.tuple<3>("nodes", entry);
        if (count == 0 || entry.size() != 3) {
            record.wrong("nodes", entry, "[pool, first node, nodes]");
        }
        runs.push_back({PoolId{pool}, first, count});
    }
    return runs;
}

Spent spent_in(Fields& record) {
    Spent spent;
    spent.staging = record.span_or("staging_ms");
    spent.start_up = record.span_or("start_up_ms");
    spent.restart = record.span_or("restart_ms");
    spent.checkpoint = record.span_or("checkpoint_ms");
    spent.kept = record.span_or("kept_ms");
    return spent;
}

Split split_in(Fields& record) {
    Split split;
    for (std::size_t i = 0; i < ways; ++i)
        split.of[i] = record.amount_or(name_of(static_cast<Went>(i)).data());
    return split;
}

std::vector<Waterfall::Row> rows_in(Fields& record, const char* key) {
    std::vector<Waterfall::Row> rows;
    std::size_t at = 0;
    for (const Json& entry : record.list(key)) {
        Fields row(entry, fmt::format("{}[{}]", key, at++), record.problem());
        std::string name = row.text("name");
        rows.push_back({std::move(name), split_in(row)});
        row.no_more();
    }
    return rows;
}

// Where the header is not at hand: whether there are so many resources the reader has to ask.
constexpr std::size_t any_resource = any32;

Allowances allowances_in(Fields& record, const char* key, std::size_t resources) {
    Allowances list;
    if (!record.has(key)) return list;
    for (const Json& entry : record.list(key)) {
        const bool good = entry.is_array() && entry.size() == 2 && entry[0].is_number_unsigned() &&
                          entry[1].is_number_unsigned() &&
                          entry[0].get<std::uint64_t>() < resources &&
                          entry[1].get<std::uint64_t>() <= any_amount;
        if (!good) {
            record.wrong(
                key,
                entry,
                fmt::format(
                    "[resource, amount], of {} resources and from 0 to {}", resources, any_amount));
            break;
        }
        list.push_back({entry[0].get<std::uint32_t>(), entry[1].get<std::int64_t>()});
    }
    if (list.empty()) record.wrong(key, Json::array(), "absent where it names nothing");
    return list;
}

void organisations_in(Fields& record, Header& header) {
    if (!record.has("organisations")) return;
    for (const Json& resource : record.list("resources")) {
        if (!resource.is_string()) record.wrong("resources", resource, "the name of a resource");
        header.resources.push_back(resource.is_string() ? resource.get<std::string>() : "");
    }
    std::size_t at = 0;
    for (const Json& entry : record.list("organisations")) {
        Fields its(entry, fmt::format("organisations[{}]", at++), record.problem());
        Organisation& house = header.organisations.emplace_back();
        house.path = its.text("path");
        if (house.path.empty()) its.wrong("path", "", "a path such as bigco/search");
        house.weight_milli = static_cast<std::uint32_t>(its.number_or("weight_milli", 1000, any32));
        house.quota = allowances_in(its, "quota", header.resources.size());
        house.lend = allowances_in(its, "lend", header.resources.size());
        house.borrow = allowances_in(its, "borrow", header.resources.size());
        its.no_more();
    }
    if (header.organisations.empty()) {
        record.wrong("organisations", Json::array(), "absent where there are none");
    }
}

void datasets_in(Fields& site, fleet::Storage& storage) {
    constexpr std::uint64_t most = std::uint64_t{1} << 60;
    storage.capacity = {static_cast<std::int64_t>(site.number_or("capacity_bytes", 0, most))};
    if (!site.has("datasets")) return;
    std::size_t at = 0;
    for (const Json& entry : site.list("datasets")) {
        Fields its(entry, fmt::format("datasets[{}]", at++), site.problem());
        const std::string name = its.text("name");
        const Bytes size{static_cast<std::int64_t>(its.number_or("bytes", 0, most))};
        if (!storage.datasets.emplace(name, size).second) its.wrong("name", name, "there once");
        its.no_more();
    }
}

void links_in(Fields& record, fleet::Fleet& fleet) {
    if (!record.has("links")) return;
    std::size_t at = 0;
    for (const Json& entry : record.list("links")) {
        Fields its(entry, fmt::format("links[{}]", at++), record.problem());
        fleet::SiteLink link;
        const Json& ends = its.list("between");
        for (std::size_t end = 0; end < 2; ++end) {
            const auto named = [&](const fleet::Site& site) {
                return ends.size() == 2 && ends[end].is_string() &&
                       ends[end].get<std::string>() == site.name;
            };
            const auto site = std::find_if(fleet.sites.begin(), fleet.sites.end(), named);
            if (site == fleet.sites.end()) {
                its.wrong("between", ends, "the names of two sites of the header");
                break;
            }
            link.between[end] = site->name;
        }
        link.bytes_per_s = its.watts("bytes_per_s");
        if (link.bytes_per_s <= 0) {
            its.wrong("bytes_per_s", link.bytes_per_s, "a number above 0");
        }
        link.latency = its.span_or("latency_ms");
        its.no_more();
        fleet.links.push_back(std::move(link));
    }
}

std::vector<std::uint32_t> links_in(Fields& record) {
    std::vector<std::uint32_t> links;
    const Json& list = record.list("over");
    if (list.empty()) record.wrong("over", list, "a list with at least one link");
    for (const Json& link : list) {
        if (!link.is_number_unsigned() || link.get<std::uint64_t>() > any32) {
            record.wrong("over", link, "the position of a link in the header");
            break;
        }
        links.push_back(link.get<std::uint32_t>());
    }
    return links;
}

Header header_in(Fields& record) {
    Header header;
    record.number("format", 1, 1);
    header.policy = record.text("policy");
    header.min_run = Duration{static_cast<std::int64_t>(record.number("min_run_ms", 0, any63))};
    header.preemptions_per_hour_max = record.small("preemptions_per_hour_max");
    header.counted_in = record.word_or("counted_in", Unit::cpus, Unit::none);
    if (record.has("counted_in") && header.counted_in == Unit::none) {
        record.wrong("counted_in", "none", "chips or cpus");
    }
    organisations_in(record, header);
    std::size_t at = 0;
    for (const Json& entry : record.list("sites")) {
        Fields site(entry, fmt::format("sites[{}]", at++), record.problem());
        header.fleet.sites.push_back(
            {.name = site.text("name"), .power_watts = site.watts_or("power_watts")});
        header.fleet.sites.back().storage.bytes_per_s = site.watts_or("bytes_per_s");
        datasets_in(site, header.fleet.sites.back().storage);
        site.no_more();
    }
    links_in(record, header.fleet);
    at = 0;
    for (const Json& entry : record.list("pools")) {
        Fields its(entry, fmt::format("pools[{}]", at++), record.problem());
        fleet::Pool pool;
        pool.name = its.text("name");
        pool.site = its.text("site");
        if (entry.is_object() && entry.contains("chip")) pool.chip = its.text("chip");
        pool.nodes = its.small("nodes", 1, fleet::nodes_per_pool_max);
        pool.chips_per_node = its.small_or("chips_per_node", fleet::chips_per_node_max);
        pool.cpus_milli = its.small_or("cpus_milli");
        pool.memory = {static_cast<std::int64_t>(its.number_or("memory_bytes", 0, any63))};
        pool.nodes_per_rack = its.small_or("nodes_per_rack", fleet::nodes_per_pool_max);
        pool.racks_per_pod = its.small_or("racks_per_pod", fleet::nodes_per_pool_max);
        pool.rack_power_watts = its.watts_or("rack_power_watts");
        pool.pod_power_watts = its.watts_or("pod_power_watts");
        pool.node_idle_watts = its.watts_or("node_idle_watts");
        pool.node_busy_watts = its.watts_or("node_busy_watts");
        if (!header.organisations.empty()) {
            Measure& measure = header.measures.emplace_back();
            measure.per_chip = allowances_in(its, "per_chip", header.resources.size());
            measure.per_cpu = allowances_in(its, "per_cpu", header.resources.size());
        }
        its.no_more();
        header.fleet.pools.push_back(std::move(pool));
    }
    if (header.fleet.pools.empty()) {
        record.wrong("pools", Json::array(), "a list with at least one pool");
    }
    return header;
}

std::vector<PoolId> pools_in(Fields& record, const char* key) {
    std::vector<PoolId> pools;
    const Json& list = record.list(key);
    if (list.empty()) record.wrong(key, list, "a list with at least one pool");
    for (const Json& pool : list) {
        if (!pool.is_number_unsigned() || pool.get<std::uint64_t>() > any32) {
            record.wrong(key, pool, "the position of a pool in the header");
            break;
        }
        pools.emplace_back(pool.get<std::uint32_t>());
    }
    return pools;
}

std::vector<std::string> data_in(Fields& record) {
    std::vector<std::string> names;
    const Json* const list = record.find("data");
    if (list == nullptr) return names;
    const bool good =
        list->is_array() && !list->empty() &&
        std::all_of(list->begin(), list->end(), [](const Json& name) { return name.is_string(); });
    if (!good) {
        record.wrong("data", *list, "a list of names of datasets");
        return names;
    }
    return list->get<std::vector<std::string>>();
}

// The parts, the pools, and how near to one another they are. `place`: of the record; "" = itself.
fleet::Demand demand_in(Fields& record, const std::string& place) {
    fleet::Demand demand;
    std::size_t at = 0;
    const Json& parts = record.list("parts");
    if (parts.empty()) record.wrong("parts", parts, "a list with at least one part");
    for (const Json& entry : parts) {
        Fields part(entry, fmt::format("{}parts[{}]", place, at++), record.problem());
        fleet::GangPart its;
        its.replicas = part.small("replicas", 1);
        its.each.chips = part.small_or("chips", fleet::chips_per_node_max);
        its.each.chip_permille = part.small_or("chip_permille", 999);
        its.each.cpus_milli = part.small_or("cpus_milli");
        its.each.memory = {static_cast<std::int64_t>(part.number_or("memory_bytes", 0, any63))};
        if (its.each.chips > 0 && its.each.chip_permille > 0) {
            part.wrong("chip_permille", entry, "absent where chips are whole");
        }
        part.no_more();
        demand.parts.push_back(its);
    }
    demand.within = record.word_or("within", fleet::Level::site, fleet::Level::site);
    demand.pools = pools_in(record, "pools");
    return demand;
}

Duration limit_in(Fields& record) {
    return Duration{static_cast<std::int64_t>(
        record.number_or("limit_ms", static_cast<std::uint64_t>(forever.count()), any63))};
}

std::vector<Size> sizes_in(Fields& record, std::uint32_t tag) {
    std::vector<Size> sizes;
    const Json* const list = record.find("sizes");
    if (list == nullptr) return sizes;
    if (!list->is_array() || list->empty()) record.wrong("sizes", *list, "a list of sizes");
    for (const Json& entry : *list) {
        const std::string place = fmt::format("sizes[{}]", sizes.size());
        Fields its(entry, place, record.problem());
        Size size{demand_in(its, place + "."), limit_in(its)};
        size.demand.tag = tag;
        its.no_more();
        sizes.push_back(std::move(size));
    }
    return sizes;
}

Submitted submitted_in(Fields& record) {
    Submitted job;
    job.job = record.job();
    job.priority = record.word_or("priority", Class::urgent, Class::normal);
    job.demand = demand_in(record, "");
    if (record.has("barred")) job.barred = pools_in(record, "barred");
    job.demand.tag = record.small_or("tag");
    job.limit = limit_in(record);
    job.sizes = sizes_in(record, job.demand.tag);
    job.deadline = record.moment_or_never("deadline");
    if (const Json* list = record.find("after"); list != nullptr) {
        if (!list->is_array() || list->empty()) record.wrong("after", *list, "a list of jobs");
        std::size_t at = 0;
        for (const Json& entry : *list) {
            Fields after(entry, fmt::format("after[{}]", at++), record.problem());
            job.after.push_back({.job = after.job(), .waits = after.word("needs", Waits::failure)});
            after.no_more();
        }
    }
    job.array_at_once_max = record.small_or("at_once");
    if (job.array_at_once_max > 0) job.array = record.job("array");
    job.checkpoint_every =
        Duration{static_cast<std::int64_t>(record.number_or("checkpoint_every_ms", 0, any63))};
    if (job.checkpoint_every > Duration{}) {
        job.checkpoint_cost =
            Duration{static_cast<std::int64_t>(record.number_or("checkpoint_cost_ms", 0, any63))};
    }
    job.replace_failed = record.yes("replace_failed");
    if (record.has("tenant")) {
        job.tenant = record.text("tenant");
        if (job.tenant.empty()) record.wrong("tenant", "", "absent where there is none");
    }
    if (record.has("organisation")) {
        job.organisation = record.text("organisation");
        if (job.organisation.empty()) {
            record.wrong("organisation", "", "absent where it is the centre itself");
        }
    }
    job.data = data_in(record);
    return job;
}

Domain domain_in(Fields& record) {
    Domain domain;
    domain.level = record.word("level", fleet::Level::site);
    if (domain.level == fleet::Level::node || domain.level == fleet::Level::pool) {
        record.wrong("level", std::string(fleet::name_of(domain.level)), "rack, pod or site");
    }
    domain.pool = PoolId{record.small("pool")};
    domain.number = record.small("number");
    return domain;
}

SetApart reservation_in(Fields& record) {
    SetApart apart;
    apart.id = AdvanceId{record.small("id", 1)};
    apart.from = record.moment("from");
    apart.until = record.moment_or_never("until");
    if (apart.until <= apart.from) {
        record.wrong("until", apart.until.time_since_epoch().count(), "after `from`");
    }
    apart.maintenance = record.yes("maintenance");
    apart.nodes = runs_in(record);
    return apart;
}

Lent lent_in(Fields& record) {
    Lent lent;
    lent.loan = record.small("loan");
    lent.lender = record.text("lender");
    lent.borrower = record.text("borrower");
    if (!record.has("amounts")) record.must("amounts");
    lent.amounts = allowances_in(record, "amounts", any_resource);
    lent.begins = record.moment("begins");
    lent.until = record.moment_or_never("until");
    if (lent.until <= lent.begins) {
        record.wrong("until", lent.until.time_since_epoch().count(), "after `begins`");
    }
    lent.notice = record.span_or("notice_ms");
    return lent;
}

Ended ended_in(Fields& record) {
    Ended ended;
    ended.job = record.job();
    ended.outcome = record.word("outcome", Came::lost);
    ended.requeue = record.yes("requeue");
    ended.spent = spent_in(record);
    ended.measured = record.has("plan_ppm") || record.has("kernel_ppm");
    if (ended.measured) {
        ended.plan_ppm = record.small("plan_ppm", 0, 1'000'000);
        ended.kernel_ppm = record.small("kernel_ppm", 0, 1'000'000);
    }
    return ended;
}

Promised promised_in(Fields& record) {
    Promised promised{.job = record.job(), .by = record.moment_or_never("by")};
    if (record.has("nodes")) {
        promised.nodes = runs_in(record);
        if (promised.nodes.empty()) record.wrong("nodes", Json::array(), "at least one run");
    }
    promised.size = record.small_or("size");
    return promised;
}

Waterfall waterfall_in(Fields& record) {
    Waterfall waterfall;
    waterfall.from = record.moment("from");
    waterfall.sites = rows_in(record, "sites");
    waterfall.pools = rows_in(record, "pools");
    waterfall.tenants = rows_in(record, "tenants");
    Fields total(record.must("total"), "total", record.problem());
    waterfall.total = split_in(total);
    total.no_more();
    return waterfall;
}

std::optional<What> what_in(const std::string& kind, Fields& record) {
    const auto pool = [&] { return PoolId{record.small("pool")}; };
    if (kind == "run") return header_in(record);
    if (kind == "submit") return submitted_in(record);
    if (kind == "start") {
        Started start{record.job(), record.text("cause"), placement_in(record)};
        start.size = record.small_or("size");
        return start;
    }
    if (kind == "end") return ended_in(record);
    if (kind == "cancel") return Cancelled{record.job()};
    if (kind == "promise") return promised_in(record);
    if (kind == "drop") return Dropped{record.job(), record.text("cause")};
    if (kind == "preempt") {
        Preempted preempted{record.job(), JobId{record.number_or("for", JobId::none_value, any63)}};
        if (record.has("cause")) preempted.cause = record.text("cause");
        return preempted;
    }
    if (kind == "lost") return NodeLost{record.job(), pool(), record.small("node")};
    if (kind == "replace") {
        const JobId job = record.job();
        fleet::Placement on = placement_in(record);
        return Replaced{job, std::move(on), spent_in(record)};
    }
    if (kind == "node") {
        return NodeHealth{pool(), record.small("node"), record.word("health", Health::down)};
    }
    if (kind == "cap") return CapSet{domain_in(record), record.watts("watts")};
    if (kind == "reservation") return reservation_in(record);
    if (kind == "copy") {
        Copied copied;
        copied.dataset = record.text("dataset");
        copied.from = record.small("from");
        copied.to = record.small("to");
        copied.until = record.moment("until");
        if (record.has("over")) {
            copied.begins = record.moment("begins");
            copied.over = links_in(record);
        }
        return copied;
    }
    if (kind == "arrived") return Arrived{record.text("dataset"), record.small("site")};
    if (kind == "forget") return Forgotten{record.text("dataset"), record.small("site")};
    if (kind == "reservation_end") return GivenBack{AdvanceId{record.small("id", 1)}};
    if (kind == "loan") return lent_in(record);
    if (kind == "recall") return CalledBack{record.small("loan"), record.moment("until")};
    if (kind == "loan_end") {
        return LoanEnded{record.small("loan"), record.word("how", LoanEnd::defaulted)};
    }
    if (kind == "account") {
        const JobId job = record.job();
        return Account{job, split_in(record)};
    }
    if (kind == "waterfall") return waterfall_in(record);
    return std::nullopt;
}

}  // namespace

Result<Record> decode(std::string_view line, std::string_view place) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) {
        return fail(Code::invalid,
                    fmt::format("{}: is not a whole JSON object; was the log cut?", place));
    }
    std::optional<Error> problem;
    Fields fields(json, "", problem);
    Record record;
    record.at = fields.moment("at");
    const std::string kind = fields.text("is");
    if (!problem) {
        if (auto what = what_in(kind, fields)) {
            record.what = std::move(*what);
            fields.no_more();
        } else {
            fields.wrong("is",
                         kind,
                         "one of run, submit, start, end, cancel, promise, drop, preempt, lost, "
                         "replace, node, cap, reservation, reservation_end, copy, arrived, forget, "
                         "loan, recall, loan_end, account, waterfall");
        }
    }
    if (problem) return fail(problem->at(place));
    return record;
}

}  // namespace weir::audit
