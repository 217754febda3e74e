#include "weir/api/json_views.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "weir/base/digest.hpp"
#include "weir/job/job_json.hpp"

namespace weir::api {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json milliseconds_of(const std::optional<Time>& time) {
    return time ? Json(time->time_since_epoch().count()) : Json(nullptr);
}

// Counted in thousandths inside, shown as a number: 1500 -> 1.5, 2000 -> 2.
Json number_of_milli(std::uint64_t milli) {
    if (milli % 1000 == 0) return milli / 1000;
    return static_cast<double>(milli) / 1000.0;
}

Json attempt_of(const hub::AttemptView& attempt) {
    Json json;
    json["number"] = attempt.number;
    json["started_at_ms"] = milliseconds_of(attempt.started_at);
    json["cause"] = attempt.cause;
    json["stopped_for"] = attempt.stopped_for;
    if (const auto& end = attempt.end) {
        json["ended_at_ms"] = milliseconds_of(end->ended_at);
        json["kind"] = exec::name_of(end->kind);
        json["exit_code"] = end->exit_code;
        json["signal"] = end->signal;
        json["rank"] = end->rank;
        json["detail"] = end->detail;
        json["max_rss_bytes"] = end->max_rss.count;
        json["cpu_ms"] = end->cpu.count();
        json["output_cut"] = end->output_cut;
    } else {
        for (const char* key : {"ended_at_ms", "kind", "exit_code", "signal", "rank"}) {
            json[key] = nullptr;
        }
        json["detail"] = "";
        json["max_rss_bytes"] = nullptr;
        json["cpu_ms"] = nullptr;
        json["output_cut"] = false;
    }
    json["tasks"] = Json::array();
    for (const hub::TaskView& task : attempt.tasks) {
        json["tasks"].push_back({{"rank", task.rank},
                                 {"node", task.node},
                                 {"stdout", task.stdout_path},
                                 {"stderr", task.stderr_path}});
    }
    return json;
}

Json job_of(const hub::JobView& view, bool detail) {
    const job::JobSpec& spec = view.spec;
    const job::Gang& gang = spec.gang;
    const std::uint64_t chips_milli =
        (std::uint64_t{gang.chips} * 1000 + gang.chip_permille) * gang.replicas;
    // What the last attempt came to, as long as it is the end of the job.
    const exec::AttemptEnd* end = nullptr;
    if (!view.attempts.empty() && view.attempts.back().end) end = &*view.attempts.back().end;

    Json json;
    json["id"] = view.id;
    json["array_index"] = view.array_index ? Json(*view.array_index) : Json(nullptr);
    json["name"] = spec.name;
    json["tenant"] = spec.tenant;
    json["organisation"] = view.organisation.empty() ? Json(nullptr) : Json(view.organisation);
    json["user"] = view.user;
    json["state"] = hub::name_of(view.state);
    json["reason"] = view.reason;
    json["priority"] = job::name_of(spec.priority);
    json["replicas"] = gang.replicas;
    json["chips"] = number_of_milli(chips_milli);
    json["cpus"] = number_of_milli(std::uint64_t{gang.cpus_milli} * gang.replicas);
    json["memory_bytes"] = gang.memory.count * gang.replicas;
    json["submitted_at_ms"] = milliseconds_of(view.submitted_at);
    json["started_at_ms"] = milliseconds_of(view.started_at);
    json["ended_at_ms"] = milliseconds_of(view.ended_at);
    json["starts_at_ms"] = milliseconds_of(view.starts_at);
    json["starts_promised"] = view.starts_promised;
    json["limit_ms"] = view.limit.count();
    json["deadline_at_ms"] = milliseconds_of(spec.deadline);
    json["reservation"] = spec.reservation;
    json["nodes"] = view.nodes;
    json["exit_code"] = end != nullptr ? Json(end->exit_code) : Json(nullptr);
    json["signal"] = end != nullptr ? Json(end->signal) : Json(nullptr);
    json["max_rss_bytes"] = end != nullptr ? Json(end->max_rss.count) : Json(nullptr);
    json["cpu_ms"] = end != nullptr ? Json(end->cpu.count()) : Json(nullptr);
    json["workdir"] = spec.workdir;
    if (detail) {
        // The values of an environment are secrets as often as not (tokens, passwords), and whoever
        // reaches the hub reads this. Without them the description is still one to submit again.
        json["spec"] = Json::parse(job::spec_to_json(spec), nullptr, false);
        json["spec"].erase("env");
        json["env_names"] = Json::array();
        for (const auto& [name, value] : spec.env)
            json["env_names"].push_back(name);
        if (view.size) json["size"] = *view.size;
        json["attempts"] = Json::array();
        for (const hub::AttemptView& attempt : view.attempts) {
            json["attempts"].push_back(attempt_of(attempt));
        }
    }
    return json;
}

// Job by job, so that thousands of them never stand in memory as a tree of values.
std::string list_of(const std::vector<hub::JobView>& jobs, bool detail) {
    std::string text = "[";
    for (const hub::JobView& job : jobs) {
        if (text.size() > 1) text += ',';
        text += text_of(job_of(job, detail));
    }
    return text + "]";
}

}  // namespace

std::string error_json(const Error& error) {
    return text_of({{"error", {{"code", name_of(error.code)}, {"message", error.message}}}});
}

std::optional<Error> error_from_json(std::string_view json) {
    const Json parsed = Json::parse(json.begin(), json.end(), nullptr, false);
    if (!parsed.is_object()) return std::nullopt;
    const auto error = parsed.find("error");
    if (error == parsed.end() || !error->is_object()) return std::nullopt;
    const auto code = error->find("code");
    const auto message = error->find("message");
    if (code == error->end() || !code->is_string()) return std::nullopt;
    if (message == error->end() || !message->is_string()) return std::nullopt;
    return Error{code_from_name(code->get_ref<const std::string&>()), message->get<std::string>()};
}

std::string accepted_json(const std::vector<hub::Accepted>& accepted) {
    Json jobs = Json::array();
    for (const hub::Accepted& job : accepted) {
        jobs.push_back({{"id", job.id},
                        {"count", job.count},
                        {"repeated", job.repeated},
                        {"notes", job.notes}});
    }
    return text_of({{"jobs", std::move(jobs)}});
}

std::string jobs_json(const std::vector<hub::JobView>& jobs) {
    return "{\"jobs\":" + list_of(jobs, false) + "}";
}

std::string members_json(const hub::Members& members) {
    return fmt::format("{{\"total\":{},\"jobs\":{}}}", members.total, list_of(members.jobs, true));
}

std::string counts_json(const hub::MemberCounts& counts) {
    Json states = Json::object();
    for (const auto& [state, count] : counts.states)
        states[std::string(hub::name_of(state))] = count;
    return text_of({{"id", counts.id},
                    {"members", counts.members},
                    {"ended", counts.ended},
                    {"states", std::move(states)},
                    {"first_failed",
                     counts.first_failed.empty() ? Json(nullptr) : Json(counts.first_failed)}});
}

std::string cancelled_json(std::uint32_t count) {
    return fmt::format("{{\"cancelled\":{}}}", count);
}

std::string explain_json(const hub::ExplainView& view) {
    Json would_help = Json::array();
    for (const hub::ExplainView::Help& help : view.would_help) {
        would_help.push_back({{"change", help.change},
                              {"starts_at_ms", milliseconds_of(help.starts_at)},
                              {"sentence", help.sentence}});
    }
    return text_of({{"id", view.id},
                    {"state", hub::name_of(view.state)},
                    {"sentence", view.sentence},
                    {"cause", view.cause},
                    {"ahead", view.ahead},
                    {"starts_at_ms", milliseconds_of(view.starts_at)},
                    {"starts_promised", view.starts_promised},
                    {"details", view.details},
                    {"would_help", std::move(would_help)}});
}

std::string fleet_json(const std::vector<hub::PoolView>& pools,
                       const std::vector<std::vector<Rate>>& rates) {
    Json list = Json::array();
    for (std::size_t i = 0; i < pools.size(); ++i) {
        const fleet::Pool& pool = pools[i].pool;
        const sched::Engine::PoolFree& free = pools[i].free;
        const std::uint64_t nodes = pool.nodes;
        Json shown_rates = Json::array();
        if (i < rates.size()) {
            for (const Rate& rate : rates[i]) {
                shown_rates.push_back({{"name", rate.name},
                                       {"value", rate.value},
                                       {"unit", rate.unit},
                                       {"basis", rate.basis}});
            }
        }
        Json drained = Json::array();
        for (const hub::PoolView::OutOfService& node : pools[i].drained) {
            drained.push_back({{"node", node.node},
                               {"reason", node.reason},
                               {"since_at_ms", milliseconds_of(node.since)}});
        }
        list.push_back(
            {{"site", pool.site},
             {"name", pool.name},
             {"chip", pool.chip},
             {"nodes", pool.nodes},
             {"nodes_up", free.nodes_up},
             {"nodes_idle", free.nodes_idle},
             {"chips_per_node", pool.chips_per_node},
             {"chips_total", nodes * pool.chips_per_node},
             {"chips_free", number_of_milli(free.chips_milli)},
             {"cpus_total", number_of_milli(nodes * pool.cpus_milli)},
             {"cpus_free", number_of_milli(free.cpus_milli)},
             {"memory_total_bytes", static_cast<std::int64_t>(nodes) * pool.memory.count},
             {"memory_free_bytes", free.memory.count},
             {"jobs_running", pools[i].jobs_running},
             {"drained", std::move(drained)},
             {"rates", std::move(shown_rates)}});
    }
    return text_of({{"pools", std::move(list)}});
}

std::string reservations_json(const std::vector<hub::ReservationView>& reservations) {
    Json list = Json::array();
    for (const hub::ReservationView& view : reservations) {
        Json nodes = Json::array();
        for (const hub::ReservationView::Run& run : view.nodes) {
            nodes.push_back({{"pool", run.pool},
                             {"first", run.first},
                             {"last", run.last},
                             {"count", run.count}});
        }
        list.push_back({{"name", view.name},
                        {"tenant", view.tenant},
                        {"maintenance", view.maintenance},
                        {"from_at_ms", milliseconds_of(view.from)},
                        {"until_at_ms", milliseconds_of(view.until)},
                        {"nodes", std::move(nodes)},
                        {"running", view.running},
                        {"waiting", view.waiting}});
    }
    return text_of({{"reservations", std::move(list)}});
}

namespace {

// Chips, CPUs, FLOP/s or OP/s.
Json amount_of(const tenancy::Resource& resource, tenancy::Amount amount) {
    if (resource.kind == tenancy::Resource::Kind::capability) {
        return static_cast<double>(amount) * 1e6;
    }
    if (amount % 1000 == 0) return amount / 1000;
    return static_cast<double>(amount) / 1000;
}

}  // namespace

std::string datasets_json(const std::vector<hub::DatasetView>& datasets) {
    Json list = Json::array();
    for (const hub::DatasetView& view : datasets) {
        Json places = Json::array();
        for (const hub::DatasetPlaceView& place : view.places) {
            Json& written = places.emplace_back(
                Json{{"site", place.site}, {"state", place.is_there ? "there" : "coming"}});
            if (!place.from.empty()) written["from"] = place.from;
            if (place.expected_at) written["expected_at_ms"] = milliseconds_of(*place.expected_at);
            if (!place.trouble.empty()) written["trouble"] = place.trouble;
        }
        list.push_back(
            {{"dataset", view.name},
             {"size_bytes", view.size.count},
             {"places", std::move(places)},
             {"made_by", view.made_by.empty() ? Json(nullptr) : Json(view.made_by)},
             {"keep_until_ms",
              view.keep_until ? Json(milliseconds_of(*view.keep_until)) : Json(nullptr)}});
    }
    return text_of({{"datasets", std::move(list)}});
}

std::string loans_json(const std::vector<hub::KnownLoan>& loans) {
    using Kind = tenancy::Resource::Kind;
    Json list = Json::array();
    for (const hub::KnownLoan& known : loans) {
        const hub::LoanTerms& terms = known.terms;
        Json amounts = Json::array();
        for (const auto& [resource, amount] : terms.amounts) {
            const bool integers = resource.name.substr(0, 3) == "int";
            amounts.push_back({{"resource", resource.name},
                               {"unit",
                                resource.kind == Kind::chips ? "chips"
                                : integers                   ? "OP/s"
                                                             : "FLOP/s"},
                               {"amount", amount_of(resource, amount)}});
        }
        list.push_back(
            {{"loan", terms.name},
             {"number", known.loan.id.value + 1},
             {"from", terms.lender},
             {"to", terms.borrower},
             {"amounts", std::move(amounts)},
             {"state", name_of(known.loan.state)},
             {"since_at_ms", milliseconds_of(known.loan.since)},
             {"starts_at_ms", milliseconds_of(terms.window.begins)},
             {"ends_at_ms", milliseconds_of(terms.window.ends)},
             {"deadline_at_ms",
              known.loan.deadline ? Json(milliseconds_of(*known.loan.deadline)) : Json(nullptr)},
             {"notice_ms", terms.notice.count()},
             {"price", format_price(terms.price)},
             {"early_recall", format_money(terms.early_recall)},
             {"penalty", format_money(terms.penalty)},
             {"of_file", known.of_file},
             {"reason", known.reason}});
    }
    return text_of({{"loans", std::move(list)}});
}

std::string tenants_json(const std::vector<hub::TenantView>& tenants) {
    using Kind = tenancy::Resource::Kind;
    Json list = Json::array();
    for (const hub::TenantView& view : tenants) {
        Json resources = Json::array();
        for (const auto& [resource, use] : view.resources) {
            const bool integers = resource.name.substr(0, 3) == "int";
            resources.push_back({{"resource", resource.kind == Kind::cpus ? "cpus" : resource.name},
                                 {"unit",
                                  resource.kind == Kind::chips  ? "chips"
                                  : resource.kind == Kind::cpus ? "cpus"
                                  : integers                    ? "OP/s"
                                                                : "FLOP/s"},
                                 {"owns", amount_of(resource, use.owns)},
                                 {"uses", amount_of(resource, use.uses)},
                                 {"borrows", amount_of(resource, use.borrows)},
                                 {"lends", amount_of(resource, use.lends)},
                                 {"may_have", amount_of(resource, use.may_have)}});
        }
        list.push_back({{"tenant", view.path},
                        {"weight", view.weight_milli / 1000.0},
                        {"share", view.share ? Json(*view.share) : Json(nullptr)},
                        {"rank", view.rank ? Json(*view.rank) : Json(nullptr)},
                        {"running", view.running},
                        {"waiting", view.waiting},
                        {"resources", std::move(resources)},
                        {"loans_given", view.loans_given},
                        {"loans_taken", view.loans_taken}});
    }
    return text_of({{"tenants", std::move(list)}});
}

std::string statement_json(const tenancy::Statement& statement) {
    const auto row_of = [](const tenancy::StatementRow& row) {
        return Json{{"organisation", row.organisation},
                    {"what", row.what},
                    {"class", row.job_class},
                    {"chip", row.chip},
                    {"chip_ms_milli", row.chip_ms_milli},
                    {"lent_chip_ms_milli", row.lent_ms_milli},
                    {"cost_micros", row.cost},
                    {"covered_micros", row.covered},
                    {"paid_micros", row.paid},
                    {"received_micros", row.received}};
    };
    Json rows = Json::array();
    for (const tenancy::StatementRow& row : statement.rows)
        rows.push_back(row_of(row));
    Json vouchers = Json::array();
    for (const tenancy::StatementVoucher& voucher : statement.vouchers) {
        vouchers.push_back({{"number", voucher.id.value + 1},
                            {"holder", voucher.holder},
                            {"spent_micros", voucher.spent},
                            {"left_micros", voucher.left}});
    }
    return text_of({{"organisation", statement.organisation},
                    {"month", tenancy::month_text(statement)},
                    {"begins_at_ms", milliseconds_of(statement.month.begins)},
                    {"ends_at_ms", milliseconds_of(statement.month.ends)},
                    {"currency", statement.currency.text()},
                    {"rows", std::move(rows)},
                    {"vouchers", std::move(vouchers)},
                    {"total", row_of(statement.total())},
                    {"out_of_balance_micros", statement.out_of_balance}});
}

std::string power_json(const std::vector<hub::PowerView>& domains) {
    Json list = Json::array();
    for (const hub::PowerView& view : domains) {
        list.push_back(
            {{"domain", view.domain},
             {"level", view.level},
             {"draw_watts", view.draw_watts ? Json(*view.draw_watts) : Json(nullptr)},
             {"budget_watts", view.budget_watts > 0 ? Json(view.budget_watts) : Json(nullptr)},
             {"note", view.note}});
    }
    return text_of({{"power", std::move(list)}});
}

std::string done_json(const std::string& sentence) {
    return text_of({{"done", sentence}});
}

std::string checks_json(const std::vector<Check>& checks) {
    Json list = Json::array();
    for (const Check& check : checks) {
        const char* state = check.state == CheckState::ok     ? "ok"
                            : check.state == CheckState::warn ? "warn"
                                                              : "fail";
        list.push_back({{"name", check.name}, {"state", state}, {"detail", check.detail}});
    }
    return text_of({{"checks", std::move(list)}});
}

std::string status_json(const hub::Status& status, const HubFacts& facts) {
    Json pending_change;
    if (status.pending_change) {
        pending_change = {{"sentence", status.pending_change->sentence},
                          {"policy", sched::text_of(status.pending_change->policy)},
                          {"waits_for", status.pending_change->waits_for}};
    }
    return text_of({{"version", facts.version},
                    {"started_at_ms", status.started_at.time_since_epoch().count()},
                    {"policy", sched::text_of(status.policy)},
                    {"nodes", status.nodes},
                    {"chips", status.chips},
                    {"pending_change", std::move(pending_change)},
                    {"over_power", status.over_power},
                    {"journal_entries", status.journal_entries},
                    {"held", status.counts.held},
                    {"pending", status.counts.pending},
                    {"running", status.counts.running},
                    {"decisions", status.counts.decisions},
                    {"jobs_accepted", status.jobs_accepted},
                    {"jobs_ended", status.jobs_ended},
                    {"digest", hex_of(status.digest)},
                    {"data_dir", facts.data_dir},
                    {"url", facts.url}});
}

std::string change_json(const hub::Change& change) {
    return text_of({{"id", change.id},
                    {"name", change.name},
                    {"state", hub::name_of(change.state)},
                    {"reason", change.reason},
                    {"at_ms", change.at.time_since_epoch().count()}});
}

}  // namespace weir::api
