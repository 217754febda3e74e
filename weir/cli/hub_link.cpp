#include "weir/cli/hub_link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/api/client.hpp"
#include "weir/api/target.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link_json.hpp"
#include "weir/hub/hub.hpp"

namespace weir::cli {
namespace {

TaskInfo task_of(const Json& json) {
    TaskInfo task;
    task.rank = field<std::uint32_t>(json, "rank");
    task.node = field<std::string>(json, "node");
    task.stdout_path = field<std::string>(json, "stdout");
    task.stderr_path = field<std::string>(json, "stderr");
    return task;
}

AttemptInfo attempt_of(const Json& json) {
    AttemptInfo attempt;
    attempt.number = field<std::uint32_t>(json, "number", 1);
    attempt.started_at_ms = optional_field<std::int64_t>(json, "started_at_ms");
    attempt.ended_at_ms = optional_field<std::int64_t>(json, "ended_at_ms");
    attempt.kind = field<std::string>(json, "kind");
    attempt.stopped_for = field<std::string>(json, "stopped_for");
    attempt.exit_code = field<int>(json, "exit_code");
    attempt.signal = field<int>(json, "signal");
    attempt.detail = field<std::string>(json, "detail");
    attempt.max_rss_bytes = field<std::int64_t>(json, "max_rss_bytes");
    attempt.cpu_ms = field<std::int64_t>(json, "cpu_ms");
    attempt.output_cut = field<bool>(json, "output_cut");
    for (const Json& task : json.value("tasks", Json::array())) {
        attempt.tasks.push_back(task_of(task));
    }
    return attempt;
}

job::TrainSize size_of(const Json& json) {
    job::TrainSize size;
    size.pools = field<std::vector<std::string>>(json, "pools");
    size.chip = field<std::string>(json, "chip");
    size.replicas = field<std::uint32_t>(json, "replicas", 1);
    size.chips = field<std::uint32_t>(json, "chips", 1);
    size.takes = Duration{field<std::int64_t>(json, "takes_ms")};
    size.step_s = field<double>(json, "step_s");
    size.step_low_s = field<double>(json, "step_low_s");
    size.step_high_s = field<double>(json, "step_high_s");
    size.mfu = field<double>(json, "mfu");
    size.plan = field<std::string>(json, "plan");
    return size;
}

JobInfo job_of(const Json& json) {
    JobInfo job;
    job.id = field<std::string>(json, "id");
    job.array_index = optional_field<std::uint32_t>(json, "array_index");
    job.name = field<std::string>(json, "name");
    job.tenant = field<std::string>(json, "tenant");
    job.organisation = field<std::string>(json, "organisation");
    job.user = field<std::string>(json, "user");
    job.state = field<std::string>(json, "state");
    job.reason = field<std::string>(json, "reason");
    job.priority = field<std::string>(json, "priority");
    job.replicas = field<std::uint32_t>(json, "replicas", 1);
    job.chips = field<double>(json, "chips");
    job.cpus = field<double>(json, "cpus");
    job.memory_bytes = field<std::int64_t>(json, "memory_bytes");
    job.submitted_at_ms = optional_field<std::int64_t>(json, "submitted_at_ms");
    job.started_at_ms = optional_field<std::int64_t>(json, "started_at_ms");
    job.ended_at_ms = optional_field<std::int64_t>(json, "ended_at_ms");
    job.starts_at_ms = optional_field<std::int64_t>(json, "starts_at_ms");
    job.starts_promised = field<bool>(json, "starts_promised");
    job.deadline_at_ms = optional_field<std::int64_t>(json, "deadline_at_ms");
    job.reservation = field<std::string>(json, "reservation");
    job.limit_ms = optional_field<std::int64_t>(json, "limit_ms");
    job.nodes = field<std::vector<std::string>>(json, "nodes");
    job.exit_code = optional_field<int>(json, "exit_code");
    job.signal = optional_field<int>(json, "signal");
    job.max_rss_bytes = optional_field<std::int64_t>(json, "max_rss_bytes");
    job.cpu_ms = optional_field<std::int64_t>(json, "cpu_ms");
    job.workdir = field<std::string>(json, "workdir");
    if (json.contains("spec")) {
        const Json& spec = json.at("spec");
        job.spec = spec.dump(2);
        for (const Json& planned : spec.value("planned", Json::array())) {
            job.planned.push_back({field<std::string>(planned, "chip"),
                                   field<std::string>(planned, "how"),
                                   field<std::string>(planned, "basis"),
                                   optional_field<std::int64_t>(planned, "time_ms"),
                                   field<bool>(planned, "degraded"),
                                   planned.value("env", std::map<std::string, std::string>{})});
        }
    }
    if (const auto size = optional_field<std::size_t>(json, "size")) {
        const Json sizes = json.at("spec").value("sizes", Json::array());
        job.sizes = sizes.size();
        job.size = size_of(sizes.at(*size));
    }
    for (const Json& attempt : json.value("attempts", Json::array())) {
        job.attempts.push_back(attempt_of(attempt));
    }
    return job;
}

std::vector<JobInfo> jobs_of(const Json& json) {
    std::vector<JobInfo> jobs;
    for (const Json& job : json.at("jobs"))
        jobs.push_back(job_of(job));
    return jobs;
}

SubmittedInfo submitted_of(const Json& json) {
    SubmittedInfo submitted;
    submitted.id = json.at("id").get<std::string>();
    submitted.count = field<std::uint32_t>(json, "count", 1);
    submitted.repeated = field<bool>(json, "repeated");
    submitted.notes = field<std::vector<std::string>>(json, "notes");
    return submitted;
}

PoolInfo pool_of(const Json& json) {
    PoolInfo pool;
    pool.site = field<std::string>(json, "site");
    pool.name = field<std::string>(json, "name");
    pool.chip = field<std::string>(json, "chip");
    pool.nodes = field<std::uint64_t>(json, "nodes");
    pool.nodes_up = field<std::uint64_t>(json, "nodes_up");
    pool.nodes_idle = field<std::uint64_t>(json, "nodes_idle");
    pool.chips_total = field<double>(json, "chips_total");
    pool.chips_free = field<double>(json, "chips_free");
    pool.cpus_total = field<double>(json, "cpus_total");
    pool.cpus_free = field<double>(json, "cpus_free");
    pool.memory_total_bytes = field<std::int64_t>(json, "memory_total_bytes");
    pool.memory_free_bytes = field<std::int64_t>(json, "memory_free_bytes");
    pool.jobs_running = field<std::uint64_t>(json, "jobs_running");
    for (const Json& node : json.value("drained", Json::array())) {
        pool.drained.emplace_back(field<std::string>(node, "node"),
                                  field<std::string>(node, "reason"));
    }
    for (const Json& rate : json.value("rates", Json::array())) {
        pool.rates.push_back({field<std::string>(rate, "name"),
                              field<double>(rate, "value"),
                              field<std::string>(rate, "unit"),
                              field<std::string>(rate, "basis")});
    }
    return pool;
}

}  // namespace

std::string hub_url(const std::string& given) {
    std::string url = given.empty() ? api::hub_url() : given;
    if (url.find("://") == std::string::npos) url = "http://" + url;
    while (url.back() == '/' && url.size() > url.find("://") + 3)
        url.pop_back();
    return url;
}

HubLink::HubLink(std::string url)
    : url_(std::move(url)), client_(std::make_unique<api::Client>(url_)) {}

HubLink::~HubLink() = default;

bool JobInfo::is_final() const {
    const auto known = hub::job_state_from_name(state);
    return known && hub::is_final(*known);
}

Result<Answer<std::vector<SubmittedInfo>>> HubLink::submit(const SubmitRequest& request) {
    Json jobs = Json::array();
    for (const JobText& job : request.jobs) {
        Json entry = {{"format", job.format}, {"text", job.text}, {"source", job.source}};
        if (!job.key.empty()) entry["key"] = job.key;
        if (!job.args.empty()) entry["args"] = job.args;
        jobs.push_back(std::move(entry));
    }
    const Json body = {{"jobs", std::move(jobs)},
                       {"user", request.user},
                       {"workdir", request.workdir},
                       {"env", request.env}};
    std::string text;
    try {
        text = body.dump();
    } catch (const Json::exception&) {
        // The only thing dump() refuses is text that is not UTF-8; find out whose it is.
        for (const JobText& job : request.jobs) {
            try {
                static_cast<void>(Json(job.text).dump());
            } catch (const Json::exception&) {
                return fail(Code::invalid,
                            job.source + ": is not UTF-8 text; a job file is YAML or a script");
            }
        }
        return fail(Code::invalid,
                    "the environment, the folder or an argument is not UTF-8 text; --export none "
                    "submits without the environment");
    }
    // With a key in every job the hub knows a repetition, so a lost answer may be asked for again.
    const bool keys = std::all_of(request.jobs.begin(), request.jobs.end(), [](const JobText& job) {
        return !job.key.empty();
    });
    WEIR_TRY(std::string reply,
             client_->post("/v1/jobs", text, keys ? api::Repeat::harmless : api::Repeat::never));
    return decoded<std::vector<SubmittedInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<SubmittedInfo> all;
        for (const Json& job : json.at("jobs"))
            all.push_back(submitted_of(job));
        return all;
    });
}

Result<Answer<std::vector<JobInfo>>> HubLink::jobs(const JobQuery& query) {
    std::string path = "/v1/jobs";
    char separator = '?';
    const auto add = [&](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        path += separator;
        path += fmt::format("{}={}", name, value);
        separator = '&';
    };
    std::string states;
    for (const std::string& state : query.states) {
        states += (states.empty() ? "" : ",") + api::encode_component(state);
    }
    add("state", states);
    add("name", api::encode_component(query.name));
    add("tenant", api::encode_component(query.tenant));
    add("user", api::encode_component(query.user));
    if (query.limit > 0) add("limit", std::to_string(query.limit));
    WEIR_TRY(std::string reply, client_->get(path));
    return decoded<std::vector<JobInfo>>(url_, std::move(reply), jobs_of);
}

Result<Answer<std::vector<JobInfo>>> HubLink::job(const std::string& reference) {
    // The hub shows a large array page by page. Its members stay the same, so the pages fit; by its
    // id, since a name may get a newer owner meanwhile.
    std::string whole = reference;
    std::vector<JobInfo> all;
    std::vector<std::string> pages;
    for (;;) {
        WEIR_TRY(std::string reply,
                 client_->get(fmt::format(
                     "/v1/jobs/{}?offset={}", api::encode_component(whole), all.size())));
        std::uint64_t total = 0;
        WEIR_TRY(auto page,
                 decoded<std::vector<JobInfo>>(url_, std::move(reply), [&total](const Json& json) {
                     total = field<std::uint64_t>(json, "total");
                     return jobs_of(json);
                 }));
        const bool last = page.value.empty() || all.size() + page.value.size() >= total;
        std::move(page.value.begin(), page.value.end(), std::back_inserter(all));
        pages.push_back(std::move(page.json));
        if (last) break;
        whole = all.front().id.substr(0, all.front().id.find('_'));
    }
    std::string json = pages.size() == 1 ? std::move(pages.front()) : joined_jobs_json(pages);
    return Answer<std::vector<JobInfo>>{std::move(all), std::move(json)};
}

Result<Answer<CountsInfo>> HubLink::counts(const std::string& reference) {
    WEIR_TRY(std::string reply,
             client_->get("/v1/jobs/" + api::encode_component(reference) + "/counts"));
    return decoded<CountsInfo>(url_, std::move(reply), [](const Json& json) {
        CountsInfo counts;
        counts.id = field<std::string>(json, "id");
        counts.members = json.at("members").get<std::uint64_t>();
        counts.ended = json.at("ended").get<std::uint64_t>();
        json.at("states").get_to(counts.states);
        counts.first_failed = field<std::string>(json, "first_failed");
        return counts;
    });
}

Result<HubLink::Failures> HubLink::failures(const std::string& reference, std::size_t limit) {
    WEIR_TRY(std::string reply,
             client_->get(fmt::format("/v1/jobs/{}?state=failed,time_limit,cancelled,lost&limit={}",
                                      api::encode_component(reference),
                                      limit)));
    WEIR_TRY(auto answer, decoded<Failures>(url_, std::move(reply), [](const Json& json) {
                 return Failures{jobs_of(json), json.at("total").get<std::uint64_t>()};
             }));
    return std::move(answer.value);
}

Result<Answer<std::uint64_t>> HubLink::cancel(const std::string& reference) {
    WEIR_TRY(std::string reply,
             client_->post("/v1/jobs/" + api::encode_component(reference) + "/cancel",
                           "{}",
                           api::Repeat::harmless));
    return decoded<std::uint64_t>(url_, std::move(reply), [](const Json& json) {
        return json.at("cancelled").get<std::uint64_t>();
    });
}

Result<Answer<ExplainInfo>> HubLink::explain(const std::string& reference) {
    WEIR_TRY(std::string reply,
             client_->get("/v1/jobs/" + api::encode_component(reference) + "/explain"));
    return decoded<ExplainInfo>(url_, std::move(reply), [](const Json& json) {
        ExplainInfo info;
        info.id = field<std::string>(json, "id");
        info.state = field<std::string>(json, "state");
        info.sentence = field<std::string>(json, "sentence");
        info.cause = field<std::string>(json, "cause");
        info.ahead = field<std::uint64_t>(json, "ahead");
        info.starts_at_ms = optional_field<std::int64_t>(json, "starts_at_ms");
        info.starts_promised = field<bool>(json, "starts_promised");
        info.details = field<std::vector<std::string>>(json, "details");
        for (const Json& help : json.at("would_help"))
            info.would_help.push_back(field<std::string>(help, "sentence"));
        return info;
    });
}

Result<LogChunk> HubLink::logs(const std::string& reference, const LogQuery& query) {
    std::string path = fmt::format("/v1/jobs/{}/logs?stream={}&rank={}&attempt={}&offset={}",
                                   api::encode_component(reference),
                                   query.stream,
                                   query.rank,
                                   query.attempt,
                                   query.offset);
    if (query.limit > 0) path += fmt::format("&limit={}", query.limit);
    WEIR_TRY(api::Reply reply, client_->get_raw(path));
    LogChunk chunk;
    chunk.bytes = std::move(reply.body);
    chunk.end = reply.header("x-weir-end") == "1";
    chunk.next = query.offset + chunk.bytes.size();
    const std::string_view next = reply.header("x-weir-offset");
    static_cast<void>(std::from_chars(next.data(), next.data() + next.size(), chunk.next));
    return chunk;
}

Result<Answer<std::vector<PoolInfo>>> HubLink::fleet() {
    WEIR_TRY(std::string reply, client_->get("/v1/fleet"));
    return decoded<std::vector<PoolInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<PoolInfo> pools;
        for (const Json& pool : json.at("pools"))
            pools.push_back(pool_of(pool));
        return pools;
    });
}

Result<Answer<std::vector<CheckInfo>>> HubLink::doctor() {
    WEIR_TRY(std::string reply, client_->get("/v1/doctor"));
    return decoded<std::vector<CheckInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<CheckInfo> checks;
        for (const Json& check : json.at("checks")) {
            checks.push_back({field<std::string>(check, "name"),
                              field<std::string>(check, "state"),
                              field<std::string>(check, "detail")});
        }
        return checks;
    });
}

Result<Answer<StatusInfo>> HubLink::status() {
    WEIR_TRY(std::string reply, client_->get("/v1/status"));
    return decoded<StatusInfo>(url_, std::move(reply), [](const Json& json) {
        StatusInfo info;
        info.version = field<std::string>(json, "version");
        info.policy = field<std::string>(json, "policy");
        info.over_power = field<std::vector<std::string>>(json, "over_power");
        const auto change = json.find("pending_change");
        if (change != json.end() && change->is_object()) {
            info.pending_change = field<std::string>(*change, "sentence");
        }
        info.digest = field<std::string>(json, "digest");
        info.data_dir = field<std::string>(json, "data_dir");
        info.pending = field<std::uint64_t>(json, "pending");
        info.running = field<std::uint64_t>(json, "running");
        info.held = field<std::uint64_t>(json, "held");
        info.started_at_ms = field<std::int64_t>(json, "started_at_ms");
        return info;
    });
}

std::string joined_jobs_json(const std::vector<std::string>& answers) {
    Json all = Json::array();
    for (const std::string& answer : answers) {
        const Json json = Json::parse(answer, nullptr, false);
        if (json.is_discarded() || !json.contains("jobs")) continue;
        for (const Json& job : json["jobs"])
            all.push_back(job);
    }
    return Json{{"jobs", std::move(all)}}.dump();
}

std::string json_object(const std::vector<std::pair<std::string, std::string>>& fields) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const auto& [name, value] : fields)
        json[name] = value;
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_checks(const std::vector<CheckInfo>& checks) {
    Json list = Json::array();
    for (const CheckInfo& check : checks) {
        list.push_back({{"name", check.name}, {"state", check.state}, {"detail", check.detail}});
    }
    return Json{{"checks", std::move(list)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_string(std::string_view text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_pretty(const std::string& json) {
    const auto parsed = nlohmann::ordered_json::parse(json, nullptr, false);
    return parsed.is_discarded() ? json : parsed.dump(2);
}

}  // namespace weir::cli
