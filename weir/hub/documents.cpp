#include "weir/hub/documents.hpp"

#include <nlohmann/json.hpp>

#include "weir/base/assert.hpp"
#include "weir/hub/end_json.hpp"
#include "weir/job/job_json.hpp"

namespace weir::hub {
namespace {

using Json = nlohmann::json;

std::int64_t milliseconds(Time time) {
    return time.time_since_epoch().count();
}
Time time_in(const Json& json) {
    return Time{Duration{json.get<std::int64_t>()}};
}

void put_time(Json& json, const char* key, const std::optional<Time>& time) {
    if (time) json[key] = milliseconds(*time);
}
std::optional<Time> time_at(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end()) return std::nullopt;
    return time_in(*found);
}

Json json_of(const AttemptView& attempt) {
    Json tasks = Json::array();
    for (const TaskView& task : attempt.tasks) {
        tasks.push_back({task.rank, task.node, task.stdout_path, task.stderr_path});
    }
    Json json{{"number", attempt.number},
              {"started_ms", milliseconds(attempt.started_at)},
              {"cause", attempt.cause},
              {"tasks", std::move(tasks)}};
    if (!attempt.stopped_for.empty()) json["stopped_for"] = attempt.stopped_for;
    if (attempt.end) json["end"] = json_of_end(*attempt.end);
    return json;
}

AttemptView attempt_of(const Json& json, JobId job) {
    AttemptView attempt;
    json.at("number").get_to(attempt.number);
    attempt.started_at = time_in(json.at("started_ms"));
    json.at("cause").get_to(attempt.cause);
    attempt.stopped_for = json.value("stopped_for", std::string());
    for (const Json& task : json.at("tasks")) {
        attempt.tasks.push_back({.rank = task.at(0).get<std::uint32_t>(),
                                 .node = task.at(1).get<std::string>(),
                                 .stdout_path = task.at(2).get<std::string>(),
                                 .stderr_path = task.at(3).get<std::string>()});
    }
    if (const auto end = json.find("end"); end != json.end()) {
        attempt.end = end_of_json(*end);
        attempt.end->attempt.job = job;
    }
    return attempt;
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Error unreadable(const store::Document& document, const std::string& what) {
    return {Code::io,
            "the document " + document.collection + "/" + document.id +
                " of the store cannot be read: " + what};
}

JobView view_in(const Json& json) {
    JobView view;
    view.job = JobId{json.at("job").get<std::uint64_t>()};
    json.at("id").get_to(view.id);
    if (const auto index = json.find("array_index"); index != json.end()) {
        view.array_index = index->get<std::uint32_t>();
    }
    const auto state = job_state_from_name(json.at("state").get_ref<const std::string&>());
    if (!state) throw std::out_of_range("its state is not known");
    view.state = *state;
    json.at("reason").get_to(view.reason);
    view.organisation = json.value("organisation", std::string());
    json.at("user").get_to(view.user);
    view.submitted_at = time_in(json.at("submitted_ms"));
    view.started_at = time_at(json, "started_ms");
    view.ended_at = time_at(json, "ended_ms");
    view.limit = Duration{json.at("limit_ms").get<std::int64_t>()};
    if (const auto size = json.find("size"); size != json.end())
        view.size = size->get<std::uint32_t>();
    json.at("nodes").get_to(view.nodes);
    for (const Json& attempt : json.at("attempts")) {
        view.attempts.push_back(attempt_of(attempt, view.job));
    }
    return view;
}

}  // namespace

store::Document document_of(const JobView& view) {
    WEIR_ASSERT(is_final(view.state));
    Json attempts = Json::array();
    for (const AttemptView& attempt : view.attempts)
        attempts.push_back(json_of(attempt));
    Json json{{"job", view.job.value},
              {"id", view.id},
              {"state", name_of(view.state)},
              {"reason", view.reason},
              {"user", view.user},
              {"submitted_ms", milliseconds(view.submitted_at)},
              {"limit_ms", view.limit.count()},
              {"nodes", view.nodes},
              {"attempts", std::move(attempts)}};
    if (!view.organisation.empty()) json["organisation"] = view.organisation;
    if (view.array_index) json["array_index"] = *view.array_index;
    if (view.size) json["size"] = *view.size;
    put_time(json, "started_ms", view.started_at);
    put_time(json, "ended_ms", view.ended_at);
    // The description is JSON text already: it goes in as it is, in place of the closing brace.
    std::string body = text_of(json);
    body.back() = ',';
    body += "\"spec\":" + job::spec_to_json(view.spec) + "}";
    return {.collection = std::string(job_collection),
            .id = std::to_string(view.job.value),
            .rank = static_cast<std::int64_t>(view.job.value),
            .tag = std::string(name_of(view.state)),
            .body = std::move(body)};
}

Result<JobView> job_view_of(const store::Document& document) {
    std::string what;
    try {
        const Json json = Json::parse(document.body);
        JobView view = view_in(json);
        auto spec = job::spec_from_json(text_of(json.at("spec")));
        if (!spec) return fail(unreadable(document, spec.error().message));
        view.spec = std::move(spec).value();
        return view;
    } catch (const std::exception& error) {
        what = error.what();
    }
    return fail(unreadable(document, what));
}

std::string key_id(std::string_view owner, std::string_view key) {
    // A line break is in no tenant's path and in no login, so two pairs never meet.
    return std::string(owner) + "\n" + std::string(key);
}

store::Document document_of(const std::string& id, const KeyedSubmission& keyed) {
    const Json json{
        {"first", keyed.first.value}, {"count", keyed.count}, {"body_digest", keyed.body_digest}};
    return {.collection = std::string(key_collection),
            .id = id,
            .rank = static_cast<std::int64_t>(keyed.first.value),
            .tag = "",
            .body = text_of(json)};
}

Result<KeyedSubmission> keyed_submission_of(const store::Document& document) {
    std::string what;
    try {
        const Json json = Json::parse(document.body);
        return KeyedSubmission{.first = JobId{json.at("first").get<std::uint64_t>()},
                               .count = json.at("count").get<std::uint32_t>(),
                               .body_digest = json.at("body_digest").get<std::string>()};
    } catch (const std::exception& error) {
        what = error.what();
    }
    return fail(unreadable(document, what));
}

}  // namespace weir::hub
