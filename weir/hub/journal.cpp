#include "weir/hub/journal.hpp"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/digest.hpp"
#include "weir/hub/end_json.hpp"

namespace weir::hub::journal {
namespace {

using Json = nlohmann::json;

// Names on disk. They stay what they are for ever, whatever becomes of the enums.
constexpr std::array<std::pair<sched::Outcome, const char*>, 4> outcomes{
    {{sched::Outcome::succeeded, "succeeded"},
     {sched::Outcome::failed, "failed"},
     {sched::Outcome::cancelled, "cancelled"},
     {sched::Outcome::lost, "lost"}}};
constexpr std::array<std::pair<sched::Needs, const char*>, 3> needs{
    {{sched::Needs::success, "success"},
     {sched::Needs::end, "end"},
     {sched::Needs::failure, "failure"}}};
constexpr std::array<std::pair<sched::Cause, const char*>, 3> start_causes{
    {{sched::Cause::fits_now, "in_order"},
     {sched::Cause::backfilled, "backfilled"},
     {sched::Cause::backfilled_beside, "backfilled_beside"}}};
constexpr std::array<std::pair<job::Priority, const char*>, 4> priorities{
    {{job::Priority::low, "low"},
     {job::Priority::normal, "normal"},
     {job::Priority::high, "high"},
     {job::Priority::urgent, "urgent"}}};
constexpr std::array<std::pair<fleet::Level, const char*>, 5> levels{
    {{fleet::Level::node, "node"},
     {fleet::Level::rack, "rack"},
     {fleet::Level::pod, "pod"},
     {fleet::Level::pool, "pool"},
     {fleet::Level::site, "site"}}};

template <class Names, class Value>
const char* word_for(const Names& names, Value value) {
    for (const auto& known : names) {
        if (known.first == value) return known.second;
    }
    return names[0].second;
}

// What decoding throws; it becomes a Result at the edge of this file.
struct Damaged {
    std::string what;
};

template <class Names>
auto value_of(const Names& names, const Json& word) {
    const auto& text = word.get_ref<const std::string&>();
    for (const auto& known : names) {
        if (text == known.second) return known.first;
    }
    throw Damaged{"the word \"" + text + "\" is not known"};
}

// ------------------------------------------------------------------------------- to JSON

Json json_of(const sched::Request& request) {
    Json parts = Json::array();
    for (const fleet::GangPart& part : request.demand.parts) {
        parts.push_back({part.replicas,
                         part.each.chips,
                         part.each.chip_permille,
                         part.each.cpus_milli,
                         part.each.memory.count});
    }
    Json pools = Json::array();
    for (const PoolId pool : request.demand.pools)
        pools.push_back(pool.value);
    Json json{{"job", request.job.value},
              {"priority", word_for(priorities, request.priority)},
              {"limit_ms", request.limit.count()},
              {"parts", std::move(parts)},
              {"within", word_for(levels, request.demand.within)},
              {"pools", std::move(pools)}};
    if (!request.after.empty()) {
        Json after = Json::array();
        for (const sched::Dependency& dependency : request.after) {
            after.push_back({dependency.job.value, word_for(needs, dependency.needs)});
        }
        json["after"] = std::move(after);
    }
    if (request.array.valid()) {
        json["array"] = request.array.value;
        json["at_once_max"] = request.array_at_once_max;
    }
    return json;
}

Json json_of(const fleet::Placement& placement) {
    Json ranges = Json::array();
    for (const fleet::NodeRange& range : placement.ranges) {
        ranges.push_back({range.pool.value,
                          range.first,
                          range.count,
                          range.replicas,
                          range.part,
                          range.chip_mask});
    }
    return ranges;
}

Json json_of(const fleet::Fleet& fleet) {
    Json sites = Json::array();
    for (const fleet::Site& site : fleet.sites) {
        sites.push_back(
            {{"name", site.name}, {"executor", site.executor}, {"power_watts", site.power_watts}});
    }
    Json pools = Json::array();
    for (const fleet::Pool& pool : fleet.pools) {
        pools.push_back({{"name", pool.name},
                         {"site", pool.site},
                         {"chip", pool.chip},
                         {"nodes", pool.nodes},
                         {"chips_per_node", pool.chips_per_node},
                         {"cpus_milli", pool.cpus_milli},
                         {"memory_bytes", pool.memory.count},
                         {"nodes_per_rack", pool.nodes_per_rack},
                         {"racks_per_pod", pool.racks_per_pod},
                         {"rack_power_watts", pool.rack_power_watts},
                         {"node_idle_watts", pool.node_idle_watts},
                         {"node_busy_watts", pool.node_busy_watts},
                         {"node_names", pool.node_names}});
    }
    return {{"sites", std::move(sites)}, {"pools", std::move(pools)}};
}

struct Body {
    const char* kind;
    std::string text;
};

// Bad UTF-8 in a name must not stop the journal: it is replaced, never thrown at.
std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Body body_of(const FleetSet& record) {
    Json json = json_of(record.fleet);
    json["policy"] = sched::text_of(record.policy);
    json["format"] = format;
    return {"fleet", text_of(json)};
}
Body body_of(const SpecGiven& record) {
    return {"spec", record.text};
}
Body body_of(const Submitted& record) {
    Json json = json_of(record.request);
    json["count"] = record.count;
    if (!record.indices.empty()) json["indices"] = record.indices;
    json["name"] = record.name;
    json["tenant"] = record.tenant;
    json["user"] = record.user;
    return {"submitted", text_of(json)};
}
Body body_of(const Carried& record) {
    Json json = json_of(record.request);
    if (!record.placement.ranges.empty()) json["placement"] = json_of(record.placement);
    return {"carried", text_of(json)};
}
Body body_of(const Ended& record) {
    Json json = json_of_end(record.end);
    json["job"] = record.end.attempt.job.value;
    json["outcome"] = word_for(outcomes, record.outcome);
    json["state"] = name_of(record.state);
    if (record.requeue) json["requeue"] = true;
    if (!record.reason.empty()) json["reason"] = record.reason;
    return {"ended", text_of(json)};
}
Body body_of(const Cancelled& record) {
    return {"cancelled", text_of({{"job", record.job.value}, {"reason", record.reason}})};
}
Body body_of(const StopAsked& record) {
    return {"stop_asked", text_of({{"job", record.job.value}})};
}
Body body_of(const Step& record) {
    Json json{{"digest", hex_of(record.digest)}};
    if (!record.starts.empty()) {
        Json starts = Json::array();
        for (const Started& start : record.starts) {
            starts.push_back({start.attempt.job.value,
                              start.attempt.number,
                              word_for(start_causes, start.cause),
                              json_of(start.placement)});
        }
        json["starts"] = std::move(starts);
    }
    if (!record.drops.empty()) {
        Json drops = Json::array();
        for (const Dropped& drop : record.drops)
            drops.push_back({drop.job.value, drop.because_of.value});
        json["drops"] = std::move(drops);
    }
    if (record.reserved) {
        json["reserved"] = {record.reserved->job.value,
                            record.reserved->at.time_since_epoch().count()};
    }
    return {"step", text_of(json)};
}

// ----------------------------------------------------------------------------- from JSON

sched::Request request_of(const Json& json) {
    sched::Request request;
    request.job = JobId{json.at("job").get<std::uint64_t>()};
    request.priority = value_of(priorities, json.at("priority"));
    request.limit = Duration{json.at("limit_ms").get<std::int64_t>()};
    for (const Json& part : json.at("parts")) {
        fleet::GangPart known;
        known.replicas = part.at(0).get<std::uint32_t>();
        known.each.chips = part.at(1).get<std::uint32_t>();
        known.each.chip_permille = part.at(2).get<std::uint32_t>();
        known.each.cpus_milli = part.at(3).get<std::uint32_t>();
        known.each.memory = Bytes{part.at(4).get<std::int64_t>()};
        request.demand.parts.push_back(known);
    }
    request.demand.within = value_of(levels, json.at("within"));
    for (const Json& pool : json.at("pools")) {
        request.demand.pools.push_back(PoolId{pool.get<std::uint32_t>()});
    }
    if (const auto after = json.find("after"); after != json.end()) {
        for (const Json& dependency : *after) {
            request.after.push_back(
                {JobId{dependency.at(0).get<std::uint64_t>()}, value_of(needs, dependency.at(1))});
        }
    }
    if (const auto array = json.find("array"); array != json.end()) {
        request.array = JobId{array->get<std::uint64_t>()};
        request.array_at_once_max = json.at("at_once_max").get<std::uint32_t>();
    }
    return request;
}

fleet::Placement placement_of(const Json& json) {
    fleet::Placement placement;
    for (const Json& range : json) {
        placement.ranges.push_back({.pool = PoolId{range.at(0).get<std::uint32_t>()},
                                    .first = range.at(1).get<std::uint32_t>(),
                                    .count = range.at(2).get<std::uint32_t>(),
                                    .replicas = range.at(3).get<std::uint32_t>(),
                                    .part = range.at(4).get<std::uint32_t>(),
                                    .chip_mask = range.at(5).get<std::uint64_t>()});
    }
    return placement;
}

Carried carried_of(const Json& json) {
    Carried record{request_of(json), {}};
    if (const auto placement = json.find("placement"); placement != json.end()) {
        record.placement = placement_of(*placement);
    }
    return record;
}

FleetSet fleet_set_of(const Json& json) {
    const auto written = json.value("format", std::uint32_t{1});
    if (written != format) {
        throw Damaged{"the journal is of format " + std::to_string(written) +
                      " and this weir knows format " + std::to_string(format) +
                      "; use the version that wrote it, or another data folder"};
    }
    FleetSet record;
    const auto policy = sched::policy_from_text(json.at("policy").get<std::string>());
    if (!policy) throw Damaged{policy.error().message};
    record.policy = *policy;
    for (const Json& site : json.at("sites")) {
        fleet::Site known;
        site.at("name").get_to(known.name);
        site.at("executor").get_to(known.executor);
        site.at("power_watts").get_to(known.power_watts);
        record.fleet.sites.push_back(std::move(known));
    }
    for (const Json& pool : json.at("pools")) {
        fleet::Pool known;
        pool.at("name").get_to(known.name);
        pool.at("site").get_to(known.site);
        pool.at("chip").get_to(known.chip);
        pool.at("nodes").get_to(known.nodes);
        pool.at("chips_per_node").get_to(known.chips_per_node);
        pool.at("cpus_milli").get_to(known.cpus_milli);
        pool.at("memory_bytes").get_to(known.memory.count);
        pool.at("nodes_per_rack").get_to(known.nodes_per_rack);
        pool.at("racks_per_pod").get_to(known.racks_per_pod);
        pool.at("rack_power_watts").get_to(known.rack_power_watts);
        pool.at("node_idle_watts").get_to(known.node_idle_watts);
        pool.at("node_busy_watts").get_to(known.node_busy_watts);
        pool.at("node_names").get_to(known.node_names);
        record.fleet.pools.push_back(std::move(known));
    }
    return record;
}

Submitted submitted_of(const Json& json) {
    Submitted record;
    record.request = request_of(json);
    json.at("count").get_to(record.count);
    if (const auto indices = json.find("indices"); indices != json.end()) {
        indices->get_to(record.indices);
    }
    json.at("name").get_to(record.name);
    json.at("tenant").get_to(record.tenant);
    json.at("user").get_to(record.user);
    return record;
}

Ended ended_of(const Json& json) {
    Ended record;
    record.end = end_of_json(json);
    record.end.attempt.job = JobId{json.at("job").get<std::uint64_t>()};
    record.outcome = value_of(outcomes, json.at("outcome"));
    const auto state = job_state_from_name(json.at("state").get_ref<const std::string&>());
    if (!state) throw Damaged{"the state of the job is not known"};
    record.state = *state;
    record.requeue = json.value("requeue", false);
    record.reason = json.value("reason", std::string());
    return record;
}

std::uint64_t digest_of(const std::string& hex) {
    std::size_t read = 0;
    const std::uint64_t digest = std::stoull(hex, &read, 16);
    if (read != hex.size()) throw Damaged{"the digest is not a hexadecimal number"};
    return digest;
}

Step step_of(const Json& json) {
    Step record;
    record.digest = digest_of(json.at("digest").get_ref<const std::string&>());
    if (const auto starts = json.find("starts"); starts != json.end()) {
        for (const Json& start : *starts) {
            record.starts.push_back({.attempt = {JobId{start.at(0).get<std::uint64_t>()},
                                                 start.at(1).get<std::uint32_t>()},
                                     .cause = value_of(start_causes, start.at(2)),
                                     .placement = placement_of(start.at(3))});
        }
    }
    if (const auto drops = json.find("drops"); drops != json.end()) {
        for (const Json& drop : *drops) {
            record.drops.push_back(
                {JobId{drop.at(0).get<std::uint64_t>()}, JobId{drop.at(1).get<std::uint64_t>()}});
        }
    }
    if (const auto reserved = json.find("reserved"); reserved != json.end()) {
        record.reserved = Reserved{JobId{reserved->at(0).get<std::uint64_t>()},
                                   Time{Duration{reserved->at(1).get<std::int64_t>()}}};
    }
    return record;
}

Record record_of(const store::Entry& entry) {
    if (entry.kind == "spec") return SpecGiven{entry.body};
    const Json json = Json::parse(entry.body);
    if (entry.kind == "step") return step_of(json);
    if (entry.kind == "submitted") return submitted_of(json);
    if (entry.kind == "ended") return ended_of(json);
    if (entry.kind == "cancelled") {
        return Cancelled{JobId{json.at("job").get<std::uint64_t>()},
                         json.at("reason").get<std::string>()};
    }
    if (entry.kind == "stop_asked") return StopAsked{JobId{json.at("job").get<std::uint64_t>()}};
    if (entry.kind == "carried") return carried_of(json);
    if (entry.kind == "fleet") return fleet_set_of(json);
    throw Damaged{"this weir does not know entries of the kind \"" + entry.kind + "\""};
}

}  // namespace

std::string word_for_start(sched::Cause cause) {
    return word_for(start_causes, cause);
}

store::Entry encode(const Record& record, Time at) {
    Body body = std::visit([](const auto& what) { return body_of(what); }, record);
    return {.sequence = 0, .at = at, .kind = body.kind, .body = std::move(body.text)};
}

Result<Record> decode(const store::Entry& entry) {
    std::string what;
    try {
        return record_of(entry);
    } catch (const Damaged& damaged) {
        what = damaged.what;
    } catch (const std::exception& error) {  // of the JSON library, or of std::stoull
        what = error.what();
    }
    return fail(Code::io,
                "journal entry " + std::to_string(entry.sequence) + " (" + entry.kind +
                    ") cannot be read: " + what);
}

}  // namespace weir::hub::journal
