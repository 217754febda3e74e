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
constexpr std::array<std::pair<sched::Cause, const char*>, 4> start_causes{
    {{sched::Cause::fits_now, "in_order"},
     {sched::Cause::backfilled, "backfilled"},
     {sched::Cause::backfilled_beside, "backfilled_beside"},
     {sched::Cause::promised, "promised"}}};
constexpr std::array<std::pair<sched::Cause, const char*>, 2> drop_causes{
    {{sched::Cause::dependency_failed, "dependency_failed"}, {sched::Cause::deadline, "deadline"}}};
constexpr std::array<std::pair<sched::Cause, const char*>, 3> stop_causes{
    {{sched::Cause::preempted, "preempted"},
     {sched::Cause::over_power, "over_power"},
     {sched::Cause::reclaimed, "reclaimed"}}};
constexpr std::array<std::pair<sched::NodeHealth, const char*>, 3> healths{
    {{sched::NodeHealth::up, "up"},
     {sched::NodeHealth::drained, "drained"},
     {sched::NodeHealth::down, "down"}}};
constexpr std::array<std::pair<job::Priority, const char*>, 4> priorities{
    {{job::Priority::low, "low"},
     {job::Priority::normal, "normal"},
     {job::Priority::high, "high"},
     {job::Priority::urgent, "urgent"}}};
constexpr std::array<std::pair<tenancy::Resource::Kind, const char*>, 3> resource_kinds{
    {{tenancy::Resource::Kind::chips, "chips"},
     {tenancy::Resource::Kind::cpus, "cpus"},
     {tenancy::Resource::Kind::capability, "capability"}}};
constexpr std::array<std::pair<tenancy::LoanEvent, const char*>, 8> loan_events{
    {{tenancy::LoanEvent::wait, "wait"},
     {tenancy::LoanEvent::accept, "accept"},
     {tenancy::LoanEvent::withdraw, "withdraw"},
     {tenancy::LoanEvent::recall, "recall"},
     {tenancy::LoanEvent::give_back, "give_back"},
     {tenancy::LoanEvent::lender_breaks, "lender_breaks"},
     {tenancy::LoanEvent::borrower_breaks, "borrower_breaks"},
     {tenancy::LoanEvent::not_back, "not_back"}}};
using Fate = DatasetChanged::Fate;
constexpr std::array<std::pair<Fate, const char*>, 3> dataset_fates{
    {{Fate::staged, "staged"}, {Fate::made, "made"}, {Fate::lost, "lost"}}};
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

std::int64_t milliseconds(Time time) {
    return time.time_since_epoch().count();
}

Json json_of(const sched::PowerDomain& domain) {
    return {word_for(levels, domain.level), domain.pool.value, domain.number};
}

Json json_of(const std::vector<fleet::GangPart>& gang) {
    Json parts = Json::array();
    for (const fleet::GangPart& part : gang) {
        parts.push_back({part.replicas,
                         part.each.chips,
                         part.each.chip_permille,
                         part.each.cpus_milli,
                         part.each.memory.count});
    }
    return parts;
}

Json json_of(const std::vector<PoolId>& pools) {
    Json json = Json::array();
    for (const PoolId pool : pools)
        json.push_back(pool.value);
    return json;
}

Json json_of(const sched::Request& request) {
    Json json{{"job", request.job.value},
              {"priority", word_for(priorities, request.priority)},
              {"limit_ms", request.limit.count()},
              {"parts", json_of(request.demand.parts)},
              {"within", word_for(levels, request.demand.within)},
              {"pools", json_of(request.demand.pools)}};
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
    const fleet::Demand& demand = request.demand;
    if (demand.prefer != fleet::Level::site) json["prefer"] = word_for(levels, demand.prefer);
    if (demand.tag != 0) json["tag"] = demand.tag;
    if (request.expected.count() != 0) json["expected_ms"] = request.expected.count();
    if (request.deadline != never) json["deadline_ms"] = milliseconds(request.deadline);
    if (request.checkpoint != sched::Checkpointing{}) {
        json["checkpoint_ms"] = {request.checkpoint.every.count(), request.checkpoint.cost.count()};
    }
    if (request.replace_failed) json["replace"] = true;
    if (request.owner != 0) json["owner"] = request.owner;
    if (request.likeness != 0) json["likeness"] = request.likeness;
    if (request.predicted.count() != 0) json["predicted_ms"] = request.predicted.count();
    if (request.tenant != TenantId{0}) json["house"] = request.tenant.value;
    if (!request.data.empty()) json["data"] = request.data;
    // What they have in common is that of the request.
    for (const sched::Size& size : request.sizes) {
        json["sizes"].push_back({json_of(size.demand.parts),
                                 json_of(size.demand.pools),
                                 size.limit.count(),
                                 size.takes.count()});
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

Json json_of(const fleet::Storage& storage) {
    Json json{{"bytes_per_s", storage.bytes_per_s}, {"capacity_bytes", storage.capacity.count}};
    for (const auto& [name, size] : storage.datasets)
        json["datasets"][name] = size.count;
    if (!storage.root.empty()) json["root"] = storage.root;
    return json;
}

Json json_of(const fleet::Fleet& fleet) {
    Json sites = Json::array();
    for (const fleet::Site& site : fleet.sites) {
        sites.push_back(
            {{"name", site.name}, {"executor", site.executor}, {"power_watts", site.power_watts}});
        for (const auto& [chip, price] : site.price)
            sites.back()["price"][chip] = format_price(price);
        if (site.storage != fleet::Storage{}) sites.back()["storage"] = json_of(site.storage);
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
        Json& written = pools.back();
        if (pool.pod_power_watts != 0) written["pod_power_watts"] = pool.pod_power_watts;
        if (pool.node_mtbf.count() != 0) written["node_mtbf_ms"] = pool.node_mtbf.count();
        if (pool.node_repair.count() != 0) written["node_repair_ms"] = pool.node_repair.count();
    }
    Json json{{"sites", std::move(sites)}, {"pools", std::move(pools)}};
    for (const fleet::SiteLink& link : fleet.links) {
        json["links"].push_back({{"between", {link.between[0], link.between[1]}},
                                 {"bytes_per_s", link.bytes_per_s},
                                 {"latency_ms", link.latency.count()}});
    }
    return json;
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
    json["format"] = record.written_as;
    if (!record.tenants.organisations.empty()) {
        json["tenants"] = tenancy::print_organisations(record.tenants);
        Json rates = Json::array();
        for (const auto& [of, value] : record.rates)
            rates.push_back({of.first, of.second, value});
        json["rates"] = std::move(rates);
        json["domestic"] = record.domestic;
    }
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
    if (!record.unserved.empty()) json["unserved"] = record.unserved;
    return {"submitted", text_of(json)};
}
Body body_of(const Carried& record) {
    Json json = json_of(record.request);
    if (!record.placement.ranges.empty()) json["placement"] = json_of(record.placement);
    if (!record.unserved.empty()) json["unserved"] = record.unserved;
    return {"carried", text_of(json)};
}
Body body_of(const PromiseCarried& record) {
    Json json{{"job", record.job.value}, {"promised_ms", milliseconds(record.promised)}};
    if (record.at != never) json["at_ms"] = milliseconds(record.at);
    if (!record.placement.ranges.empty()) json["placement"] = json_of(record.placement);
    if (!record.reason.empty()) json["reason"] = record.reason;
    if (record.size != 0) json["size"] = record.size;
    return {"promise_carried", text_of(json)};
}
Body body_of(const Ended& record) {
    Json json = json_of_end(record.end);
    json["job"] = record.end.attempt.job.value;
    json["outcome"] = word_for(outcomes, record.outcome);
    json["state"] = name_of(record.state);
    if (record.requeue) json["requeue"] = true;
    if (!record.reason.empty()) json["reason"] = record.reason;
    for (const Output& output : record.outputs) {
        Json& written = json["outputs"].emplace_back(
            Json{{"dataset", output.dataset}, {"path", output.path}, {"site", output.site}});
        if (output.keep != forever) written["keep_ms"] = output.keep.count();
    }
    return {"ended", text_of(json)};
}
Body body_of(const Cancelled& record) {
    return {"cancelled", text_of({{"job", record.job.value}, {"reason", record.reason}})};
}
Body body_of(const StopAsked& record) {
    return {"stop_asked", text_of({{"job", record.job.value}})};
}
Body body_of(const AdvanceMade& record) {
    const sched::Advance& advance = record.advance;
    Json nodes = Json::array();
    for (const sched::Advance::Nodes& run : advance.nodes)
        nodes.push_back({run.pool.value, run.first, run.count});
    Json json{{"id", advance.id.value},
              {"name", record.name},
              {"from_ms", milliseconds(advance.from)},
              {"until_ms", milliseconds(advance.until)},
              {"nodes", std::move(nodes)}};
    if (!record.tenant.empty()) json["tenant"] = record.tenant;
    if (advance.maintenance) json["maintenance"] = true;
    return {"advance", text_of(json)};
}
Body body_of(const AdvanceEnded& record) {
    return {"advance_ended", text_of({{"id", record.id.value}})};
}
Body body_of(const NodeChanged& record) {
    Json json{{"pool", record.pool.value},
              {"node", record.node},
              {"health", word_for(healths, record.health)}};
    if (!record.reason.empty()) json["reason"] = record.reason;
    return {"node", text_of(json)};
}
Body body_of(const PowerCapSet& record) {
    return {"power_cap", text_of({{"domain", json_of(record.domain)}, {"watts", record.watts}})};
}
Body body_of(const LoanOffered& record) {
    const LoanTerms& terms = record.terms;
    Json amounts = Json::array();
    for (const auto& [resource, amount] : terms.amounts)
        amounts.push_back({word_for(resource_kinds, resource.kind), resource.name, amount});
    return {"loan",
            text_of({{"name", terms.name},
                     {"from", terms.lender},
                     {"to", terms.borrower},
                     {"amounts", std::move(amounts)},
                     {"begins_ms", milliseconds(terms.window.begins)},
                     {"ends_ms", milliseconds(terms.window.ends)},
                     {"notice_ms", terms.notice.count()},
                     {"currency", terms.price.of_chip_hour.currency.text()},
                     {"price_micros", terms.price.of_chip_hour.micros},
                     {"early_recall_micros", terms.early_recall.micros},
                     {"penalty_micros", terms.penalty.micros}})};
}
Body body_of(const LoanMoved& record) {
    Json json{{"name", record.name}, {"event", word_for(loan_events, record.event)}};
    if (!record.reason.empty()) json["reason"] = record.reason;
    return {"loan_moved", text_of(json)};
}
Body body_of(const Checkpointed& record) {
    return {"checkpointed", text_of({{"job", record.job.value}})};
}
Body body_of(const DatasetChanged& record) {
    Json json{{"fate", word_for(dataset_fates, record.fate)},
              {"dataset", record.dataset},
              {"site", record.site}};
    if (record.size.count != 0) json["size_bytes"] = record.size.count;
    if (record.by.valid()) json["job"] = record.by.value;
    if (record.keep_until != never) json["keep_until_ms"] = milliseconds(record.keep_until);
    if (record.carried) json["carried"] = true;
    return {"dataset", text_of(json)};
}

// Of some things that a pass decided.
template <class Items, class Write>
void put_list(Json& json, const char* key, const Items& items, const Write& write) {
    if (items.empty()) return;
    Json list = Json::array();
    for (const auto& item : items)
        list.push_back(write(item));
    json[key] = std::move(list);
}

Body body_of(const Step& record) {
    Json json{{"digest", hex_of(record.digest)}};
    if (record.anew) json["anew"] = true;
    put_list(json, "starts", record.starts, [](const Started& start) {
        Json written{start.attempt.job.value,
                     start.attempt.number,
                     word_for(start_causes, start.cause),
                     json_of(start.placement)};
        if (start.size != 0 || !start.why_size.empty()) {
            written.push_back(start.size);
            written.push_back(start.why_size);
        }
        return written;
    });
    put_list(json, "drops", record.drops, [](const Dropped& drop) {
        Json written{drop.job.value, drop.because_of.value};
        if (drop.cause != sched::Cause::dependency_failed) {
            written.push_back(word_for(drop_causes, drop.cause));
        }
        return written;
    });
    put_list(json, "reservations", record.reserved, [](const Reserved& reserved) {
        Json written{reserved.job.value, milliseconds(reserved.at), json_of(reserved.placement)};
        if (reserved.size != 0) written.push_back(reserved.size);
        return written;
    });
    put_list(json, "preempted", record.preempted, [](const Preempted& stop) {
        return Json{stop.job.value, stop.for_job.value, word_for(stop_causes, stop.cause)};
    });
    put_list(json, "replaced", record.replaced, [](const Replaced& replaced) {
        return Json{replaced.job.value, json_of(replaced.placement)};
    });
    put_list(json, "over_power", record.over_power, [](const OverPower& over) {
        return Json{json_of(over.domain), over.excess_watts};
    });
    put_list(json, "forgotten", record.forgotten, [](const Forgotten& gone) {
        return Json{gone.dataset, gone.site};
    });
    put_list(json, "staged", record.staged, [](const Staged& copy) {
        return Json{
            copy.dataset, copy.from, copy.to, milliseconds(copy.begins), milliseconds(copy.ends)};
    });
    return {"step", text_of(json)};
}

// ----------------------------------------------------------------------------- from JSON

Time time_in(const Json& json) {
    return Time{Duration{json.get<std::int64_t>()}};
}

JobId job_in(const Json& json) {
    return JobId{json.get<std::uint64_t>()};
}

sched::PowerDomain domain_of(const Json& json) {
    return {.level = value_of(levels, json.at(0)),
            .pool = PoolId{json.at(1).get<std::uint32_t>()},
            .number = json.at(2).get<std::uint32_t>()};
}

std::vector<fleet::GangPart> parts_of(const Json& json) {
    std::vector<fleet::GangPart> parts;
    for (const Json& part : json) {
        fleet::GangPart& known = parts.emplace_back();
        known.replicas = part.at(0).get<std::uint32_t>();
        known.each.chips = part.at(1).get<std::uint32_t>();
        known.each.chip_permille = part.at(2).get<std::uint32_t>();
        known.each.cpus_milli = part.at(3).get<std::uint32_t>();
        known.each.memory = Bytes{part.at(4).get<std::int64_t>()};
    }
    return parts;
}

std::vector<PoolId> pools_of(const Json& json) {
    std::vector<PoolId> pools;
    for (const Json& pool : json)
        pools.push_back(PoolId{pool.get<std::uint32_t>()});
    return pools;
}

sched::Request request_of(const Json& json) {
    sched::Request request;
    request.job = JobId{json.at("job").get<std::uint64_t>()};
    request.priority = value_of(priorities, json.at("priority"));
    request.limit = Duration{json.at("limit_ms").get<std::int64_t>()};
    request.demand.parts = parts_of(json.at("parts"));
    request.demand.within = value_of(levels, json.at("within"));
    request.demand.pools = pools_of(json.at("pools"));
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
    if (const auto prefer = json.find("prefer"); prefer != json.end()) {
        request.demand.prefer = value_of(levels, *prefer);
    }
    request.demand.tag = json.value("tag", std::uint32_t{0});
    request.expected = Duration{json.value("expected_ms", std::int64_t{0})};
    if (const auto deadline = json.find("deadline_ms"); deadline != json.end()) {
        request.deadline = time_in(*deadline);
    }
    if (const auto checkpoint = json.find("checkpoint_ms"); checkpoint != json.end()) {
        request.checkpoint = {.every = Duration{checkpoint->at(0).get<std::int64_t>()},
                              .cost = Duration{checkpoint->at(1).get<std::int64_t>()}};
    }
    request.replace_failed = json.value("replace", false);
    request.owner = json.value("owner", std::uint64_t{0});
    request.likeness = json.value("likeness", std::uint64_t{0});
    request.predicted = Duration{json.value("predicted_ms", std::int64_t{0})};
    request.tenant = TenantId{json.value("house", std::uint32_t{0})};
    request.data = json.value("data", std::vector<std::string>{});
    if (const auto sizes = json.find("sizes"); sizes != json.end()) {
        for (const Json& size : *sizes) {
            sched::Size& its = request.sizes.emplace_back();
            its.demand = request.demand;
            its.demand.parts = parts_of(size.at(0));
            its.demand.pools = pools_of(size.at(1));
            its.limit = Duration{size.at(2).get<std::int64_t>()};
            its.takes = Duration{size.at(3).get<std::int64_t>()};
        }
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
    Carried record{request_of(json), {}, json.value("unserved", std::string())};
    if (const auto placement = json.find("placement"); placement != json.end()) {
        record.placement = placement_of(*placement);
    }
    return record;
}

PromiseCarried promise_carried_of(const Json& json) {
    PromiseCarried record{.job = job_in(json.at("job")),
                          .promised = time_in(json.at("promised_ms")),
                          .at = never,
                          .placement = {},
                          .reason = json.value("reason", std::string())};
    if (const auto at = json.find("at_ms"); at != json.end()) record.at = time_in(*at);
    if (const auto placement = json.find("placement"); placement != json.end()) {
        record.placement = placement_of(*placement);
    }
    record.size = json.value("size", std::uint32_t{0});
    return record;
}

// Empty where it is absent.
const Json& list_in(const Json& json, const char* key) {
    static const Json empty = Json::array();
    const auto found = json.find(key);
    return found == json.end() ? empty : *found;
}

fleet::Storage storage_of(const Json& json) {
    fleet::Storage storage;
    json.at("bytes_per_s").get_to(storage.bytes_per_s);
    json.at("capacity_bytes").get_to(storage.capacity.count);
    const Json datasets = json.value("datasets", Json::object());
    for (const auto& [name, size] : datasets.items())
        storage.datasets.emplace(name, Bytes{size.get<std::int64_t>()});
    storage.root = json.value("root", std::string());
    return storage;
}

FleetSet fleet_set_of(const Json& json) {
    const auto written = json.value("format", std::uint32_t{1});
    if (written < oldest_format || written > format) {
        throw Damaged{"the journal is of format " + std::to_string(written) +
                      " and this weir knows formats " + std::to_string(oldest_format) + " to " +
                      std::to_string(format) +
                      "; use the version that wrote it, or another data folder"};
    }
    FleetSet record;
    record.written_as = written;
    const auto policy = sched::policy_from_text(json.at("policy").get<std::string>());
    if (!policy) throw Damaged{policy.error().message};
    record.policy = *policy;
    for (const Json& site : json.at("sites")) {
        fleet::Site known;
        site.at("name").get_to(known.name);
        site.at("executor").get_to(known.executor);
        site.at("power_watts").get_to(known.power_watts);
        const Json prices = site.value("price", Json::object());
        for (const auto& [chip, text] : prices.items()) {
            const auto price = parse_price(text.get_ref<const std::string&>());
            if (!price) throw Damaged{price.error().message};
            known.price.emplace(chip, *price);
        }
        if (const auto storage = site.find("storage"); storage != site.end()) {
            known.storage = storage_of(*storage);
        }
        record.fleet.sites.push_back(std::move(known));
    }
    for (const Json& link : list_in(json, "links")) {
        record.fleet.links.push_back(
            {.between = {link.at("between").at(0).get<std::string>(),
                         link.at("between").at(1).get<std::string>()},
             .bytes_per_s = link.at("bytes_per_s").get<double>(),
             .latency = Duration{link.at("latency_ms").get<std::int64_t>()}});
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
        known.pod_power_watts = pool.value("pod_power_watts", 0.0);
        known.node_mtbf = Duration{pool.value("node_mtbf_ms", std::int64_t{0})};
        known.node_repair = Duration{pool.value("node_repair_ms", std::int64_t{0})};
        record.fleet.pools.push_back(std::move(known));
    }
    if (const auto tenants = json.find("tenants"); tenants != json.end()) {
        auto read = tenancy::read_printed_organisations(tenants->get_ref<const std::string&>(),
                                                        "its organisations");
        if (!read) throw Damaged{read.error().message};
        record.tenants = *std::move(read);
        for (const Json& rate : json.at("rates")) {
            record.rates[{rate.at(0).get<std::string>(), rate.at(1).get<std::string>()}] =
                rate.at(2).get<double>();
        }
        if (const auto domestic = json.find("domestic"); domestic != json.end()) {
            domestic->get_to(record.domestic);
        } else {  // before it was written down, the catalogue of the program said it
            record.domestic = domestic_in(record.fleet, catalog::Catalog::built_in());
        }
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
    record.unserved = json.value("unserved", std::string());
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
    for (const Json& output : list_in(json, "outputs")) {
        record.outputs.push_back({.dataset = output.at("dataset").get<std::string>(),
                                  .path = output.at("path").get<std::string>(),
                                  .site = output.at("site").get<std::string>(),
                                  .keep = Duration{output.value("keep_ms", forever.count())}});
    }
    return record;
}

std::uint64_t digest_of(const std::string& hex) {
    std::size_t read = 0;
    const std::uint64_t digest = std::stoull(hex, &read, 16);
    if (read != hex.size()) throw Damaged{"the digest is not a hexadecimal number"};
    return digest;
}

AdvanceMade advance_made_of(const Json& json) {
    AdvanceMade record;
    json.at("name").get_to(record.name);
    record.tenant = json.value("tenant", std::string());
    sched::Advance& advance = record.advance;
    advance.id = AdvanceId{json.at("id").get<std::uint32_t>()};
    advance.from = time_in(json.at("from_ms"));
    advance.until = time_in(json.at("until_ms"));
    advance.maintenance = json.value("maintenance", false);
    for (const Json& run : json.at("nodes")) {
        advance.nodes.push_back({.pool = PoolId{run.at(0).get<std::uint32_t>()},
                                 .first = run.at(1).get<std::uint32_t>(),
                                 .count = run.at(2).get<std::uint32_t>()});
    }
    return record;
}

LoanOffered loan_offered_of(const Json& json) {
    LoanOffered record;
    LoanTerms& terms = record.terms;
    json.at("name").get_to(terms.name);
    json.at("from").get_to(terms.lender);
    json.at("to").get_to(terms.borrower);
    for (const Json& each : json.at("amounts")) {
        terms.amounts.emplace_back(
            tenancy::Resource{value_of(resource_kinds, each.at(0)), each.at(1).get<std::string>()},
            each.at(2).get<tenancy::Amount>());
    }
    terms.window = {time_in(json.at("begins_ms")), time_in(json.at("ends_ms"))};
    terms.notice = Duration{json.at("notice_ms").get<std::int64_t>()};
    const auto money = [&json](const char* key) {
        const auto known = parse_money("0 " + json.at("currency").get<std::string>());
        if (!known) throw Damaged{"the currency is not known"};
        return Money{json.at(key).get<std::int64_t>(), known->currency};
    };
    terms.price = {money("price_micros")};
    terms.early_recall = money("early_recall_micros");
    terms.penalty = money("penalty_micros");
    return record;
}

NodeChanged node_changed_of(const Json& json) {
    return {.pool = PoolId{json.at("pool").get<std::uint32_t>()},
            .node = json.at("node").get<std::uint32_t>(),
            .health = value_of(healths, json.at("health")),
            .reason = json.value("reason", std::string())};
}

DatasetChanged dataset_changed_of(const Json& json) {
    DatasetChanged record{.fate = value_of(dataset_fates, json.at("fate")),
                          .dataset = json.at("dataset").get<std::string>(),
                          .site = json.at("site").get<std::string>(),
                          .size = Bytes{json.value("size_bytes", std::int64_t{0})},
                          .by = JobId::none(),
                          .keep_until = never,
                          .carried = json.value("carried", false)};
    if (const auto job = json.find("job"); job != json.end()) record.by = job_in(*job);
    if (const auto until = json.find("keep_until_ms"); until != json.end()) {
        record.keep_until = time_in(*until);
    }
    return record;
}

Step step_of(const Json& json) {
    Step record;
    record.digest = digest_of(json.at("digest").get_ref<const std::string&>());
    record.anew = json.value("anew", false);
    for (const Json& start : list_in(json, "starts")) {
        record.starts.push_back({.attempt = {job_in(start.at(0)), start.at(1).get<std::uint32_t>()},
                                 .cause = value_of(start_causes, start.at(2)),
                                 .placement = placement_of(start.at(3))});
        if (start.size() > 5) {
            record.starts.back().size = start.at(4).get<std::uint32_t>();
            record.starts.back().why_size = start.at(5).get<std::string>();
        }
    }
    for (const Json& drop : list_in(json, "drops")) {
        Dropped dropped{.job = job_in(drop.at(0)), .because_of = job_in(drop.at(1))};
        if (drop.size() > 2) dropped.cause = value_of(drop_causes, drop.at(2));
        record.drops.push_back(dropped);
    }
    // Format 2 had one reservation, and no place for it.
    if (const auto reserved = json.find("reserved"); reserved != json.end()) {
        record.reserved.push_back({job_in(reserved->at(0)), time_in(reserved->at(1)), {}});
    }
    for (const Json& reserved : list_in(json, "reservations")) {
        record.reserved.push_back(
            {job_in(reserved.at(0)), time_in(reserved.at(1)), placement_of(reserved.at(2))});
        if (reserved.size() > 3) record.reserved.back().size = reserved.at(3).get<std::uint32_t>();
    }
    for (const Json& stop : list_in(json, "preempted")) {
        record.preempted.push_back(
            {job_in(stop.at(0)), job_in(stop.at(1)), value_of(stop_causes, stop.at(2))});
    }
    for (const Json& replaced : list_in(json, "replaced")) {
        record.replaced.push_back({job_in(replaced.at(0)), placement_of(replaced.at(1))});
    }
    for (const Json& over : list_in(json, "over_power")) {
        record.over_power.push_back({domain_of(over.at(0)), over.at(1).get<double>()});
    }
    for (const Json& gone : list_in(json, "forgotten")) {
        record.forgotten.push_back({gone.at(0).get<std::string>(), gone.at(1).get<std::string>()});
    }
    for (const Json& copy : list_in(json, "staged")) {
        record.staged.push_back({.dataset = copy.at(0).get<std::string>(),
                                 .from = copy.at(1).get<std::string>(),
                                 .to = copy.at(2).get<std::string>(),
                                 .begins = time_in(copy.at(3)),
                                 .ends = time_in(copy.at(4))});
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
    if (entry.kind == "promise_carried") return promise_carried_of(json);
    if (entry.kind == "fleet") return fleet_set_of(json);
    if (entry.kind == "advance") return advance_made_of(json);
    if (entry.kind == "advance_ended") {
        return AdvanceEnded{AdvanceId{json.at("id").get<std::uint32_t>()}};
    }
    if (entry.kind == "node") return node_changed_of(json);
    if (entry.kind == "power_cap") {
        return PowerCapSet{domain_of(json.at("domain")), json.at("watts").get<double>()};
    }
    if (entry.kind == "loan") return loan_offered_of(json);
    if (entry.kind == "loan_moved") {
        return LoanMoved{json.at("name").get<std::string>(),
                         value_of(loan_events, json.at("event")),
                         json.value("reason", std::string())};
    }
    if (entry.kind == "checkpointed") return Checkpointed{job_in(json.at("job"))};
    if (entry.kind == "dataset") return dataset_changed_of(json);
    throw Damaged{"this weir does not know entries of the kind \"" + entry.kind + "\""};
}

}  // namespace

std::string word_for_start(sched::Cause cause) {
    return word_for(start_causes, cause);
}

Domestic domestic_in(const fleet::Fleet& fleet, const catalog::Catalog& catalog) {
    Domestic chips;
    for (const fleet::Pool& pool : fleet.pools) {
        const catalog::ChipRecord* const record = catalog.find(pool.chip);
        if (record != nullptr && record->domestic) chips.insert(pool.chip);
    }
    return chips;
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
