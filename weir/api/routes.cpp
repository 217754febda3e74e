#include "weir/api/routes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "weir/api/embedded.hpp"
#include "weir/api/job_log.hpp"
#include "weir/api/metrics.hpp"
#include "weir/api/operation_body.hpp"
#include "weir/api/submit_body.hpp"
#include "weir/job/check_spec.hpp"

namespace weir::api {
namespace {

// More jobs than this are put together by a worker instead of the hub's thread.
constexpr std::size_t accepted_inline_max = 16;
constexpr std::uint64_t jobs_listed_max = 10'000;
// Members of an array in one answer: each is shown in full, and most are read from the disk.
constexpr std::uint64_t members_shown_max = 1'000;

// The console needs no more than its own files and the API beside it. No inline script or style,
// no frame around it, no form anywhere: what a forged page would need is not there.
constexpr std::string_view console_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

Response json(std::string body) {
    Response response;
    response.body = std::move(body);
    return response;
}

Response refusal(Error error) {
    return error_response(error);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text = text.substr(end + 1);
    }
    return parts;
}

Result<std::vector<hub::JobState>> states_of(const Target& target) {
    std::vector<hub::JobState> wanted;
    if (const std::string* states = target.find("state")) {
        for (const std::string_view name : split(*states, ',')) {
            const auto state = hub::job_state_from_name(name);
            if (!state) {
                return fail(
                    Code::invalid,
                    fmt::format("parameter state: \"{}\" is no state of a job; valid: held, "
                                "pending, running, stopping, succeeded, failed, "
                                "time_limit, cancelled, lost",
                                name));
            }
            wanted.push_back(*state);
        }
    }
    return wanted;
}

// "" where it is not asked for one.
Result<std::string> tenant_of(const Target& target) {
    const std::string* tenant = target.find("tenant");
    if (tenant == nullptr || tenant->empty()) return std::string();
    if (const auto bad = job::test_tenant(*tenant)) {
        return fail(Code::invalid, fmt::format("parameter tenant: \"{}\" {}", *tenant, *bad));
    }
    return *tenant;
}

Result<hub::JobFilter> filter_of(const Target& target) {
    WEIR_CHECK(target.expect_only({"state", "name", "tenant", "user", "limit"}));
    hub::JobFilter filter;
    WEIR_TRY(filter.states, states_of(target));
    if (const std::string* name = target.find("name")) filter.name = *name;
    WEIR_TRY(filter.tenant, tenant_of(target));
    if (const std::string* user = target.find("user")) filter.user = *user;
    WEIR_TRY(const auto limit, target.number("limit", 1, jobs_listed_max));
    if (limit) filter.limit = static_cast<std::size_t>(*limit);
    return filter;
}

Result<hub::MemberQuery> members_of(const Target& target) {
    WEIR_CHECK(target.expect_only({"state", "offset", "limit"}));
    hub::MemberQuery query;
    WEIR_TRY(query.states, states_of(target));
    WEIR_TRY(const auto offset, target.number("offset", 0, 1'000'000'000));
    WEIR_TRY(const auto limit, target.number("limit", 1, members_shown_max));
    query.offset = static_cast<std::size_t>(offset.value_or(0));
    query.limit = static_cast<std::size_t>(limit.value_or(members_shown_max));
    return query;
}

// What a request for output asks, before the job is known.
struct LogQuery {
    bool from_stderr = false;
    std::uint32_t rank = 0;
    std::uint32_t attempt = 0;  // 0 = the last
    std::uint64_t offset = 0;
    std::uint64_t limit = log_slice_bytes_max;
    std::optional<std::uint64_t> tail;
};

Result<LogQuery> log_query_of(const Target& target) {
    WEIR_CHECK(target.expect_only({"stream", "rank", "attempt", "offset", "limit", "tail"}));
    LogQuery query;
    if (const std::string* stream = target.find("stream")) {
        if (*stream != "stdout" && *stream != "stderr") {
            return fail(Code::invalid,
                        fmt::format("parameter stream: \"{}\"; valid: stdout, stderr", *stream));
        }
        query.from_stderr = *stream == "stderr";
    }
    constexpr std::uint64_t number_max = 1'000'000'000;
    WEIR_TRY(const auto rank, target.number("rank", 0, number_max));
    WEIR_TRY(const auto attempt, target.number("attempt", 0, number_max));
    WEIR_TRY(const auto offset, target.number("offset", 0, std::uint64_t{1} << 62));
    WEIR_TRY(const auto limit, target.number("limit", 1, log_slice_bytes_max));
    WEIR_TRY(query.tail, target.number("tail", 1, log_slice_bytes_max));
    if (query.tail && offset) {
        return fail(Code::invalid, "parameters tail and offset exclude each other");
    }
    query.rank = static_cast<std::uint32_t>(rank.value_or(0));
    query.attempt = static_cast<std::uint32_t>(attempt.value_or(0));
    query.offset = offset.value_or(0);
    query.limit = limit.value_or(log_slice_bytes_max);
    return query;
}

Result<Response> log_response(const hub::Members& members, const LogQuery& query) {
    const hub::JobView& job = members.jobs.front();
    if (members.total != 1) {
        return fail(Code::invalid,
                    fmt::format("this is an array of {} jobs, and each has output of its own: name "
                                "one, for example {}",
                                members.total,
                                job.id));
    }
    Response response;
    response.type = "text/plain; charset=utf-8";
    const auto reply = [&](const LogSlice& slice, std::uint32_t attempt) {
        response.headers = {{"X-Weir-Offset", std::to_string(slice.next)},
                            {"X-Weir-Attempt", std::to_string(attempt)}};
        if (hub::is_final(job.state) && slice.at_end)
            response.headers.emplace_back("X-Weir-End", "1");
        response.body = slice.bytes;
        return response;
    };
    if (job.attempts.empty() && query.attempt == 0) return reply({}, 0);
    const auto attempt =
        query.attempt == 0
            ? job.attempts.end() - 1
            : std::find_if(
                  job.attempts.begin(), job.attempts.end(), [&](const hub::AttemptView& candidate) {
                      return candidate.number == query.attempt;
                  });
    if (attempt == job.attempts.end()) {
        return fail(Code::not_found,
                    fmt::format("job {} has no attempt {}; it had {} so far",
                                job.id,
                                query.attempt,
                                job.attempts.size()));
    }
    const auto task = std::find_if(
        attempt->tasks.begin(), attempt->tasks.end(), [&](const hub::TaskView& candidate) {
            return candidate.rank == query.rank;
        });
    if (task == attempt->tasks.end()) {
        return fail(Code::not_found,
                    fmt::format("job {} has no rank {} in attempt {}; it has {}",
                                job.id,
                                query.rank,
                                attempt->number,
                                attempt->tasks.size()));
    }
    const std::string& path = query.from_stderr ? task->stderr_path : task->stdout_path;
    if (query.tail) {
        WEIR_TRY(const LogSlice slice, read_log_tail(path, *query.tail));
        return reply(slice, attempt->number);
    }
    WEIR_TRY(const LogSlice slice, read_log(path, query.offset, query.limit));
    return reply(slice, attempt->number);
}

}  // namespace

// "*" stands for one segment. The first row that fits is taken.
struct Routes::Route {
    std::string_view method;
    std::string_view pattern;
    void (Routes::*function)(Call);
};

const std::vector<Routes::Route>& Routes::table() {
    using tenancy::LoanEvent;
    // clang-format off
    static const std::vector<Route> routes = {
        {"POST", "v1/jobs",           &Routes::submit},
        {"GET",  "v1/jobs",           &Routes::jobs},
        {"GET",  "v1/jobs/*",         &Routes::job},
        {"GET",  "v1/jobs/*/counts",  &Routes::counts},
        {"POST", "v1/jobs/*/cancel",  &Routes::cancel},
        {"POST", "v1/jobs/*/checkpointed", &Routes::checkpointed},
        {"GET",  "v1/jobs/*/explain", &Routes::explain},
        {"GET",  "v1/jobs/*/logs",    &Routes::logs},
        {"GET",  "v1/fleet",          &Routes::fleet},
        {"GET",  "v1/datasets",       &Routes::datasets},
        {"GET",  "v1/reservations",   &Routes::reservations},
        {"POST", "v1/reservations",   &Routes::reserve},
        {"POST", "v1/reservations/*/delete", &Routes::unreserve},
        {"POST", "v1/nodes/*/drain",  &Routes::drain},
        {"POST", "v1/nodes/*/restore", &Routes::restore},
        {"GET",  "v1/tenants",        &Routes::tenants},
        {"GET",  "v1/loans",          &Routes::loans},
        {"POST", "v1/loans",          &Routes::offer_loan},
        {"POST", "v1/loans/*/accept", &Routes::move_loan<LoanEvent::accept>},
        {"POST", "v1/loans/*/withdraw", &Routes::move_loan<LoanEvent::withdraw>},
        {"POST", "v1/loans/*/recall", &Routes::move_loan<LoanEvent::recall>},
        {"POST", "v1/loans/*/return", &Routes::move_loan<LoanEvent::give_back>},
        {"POST", "v1/loans/*/break",  &Routes::break_loan},
        {"GET",  "v1/statement",      &Routes::statement},
        {"GET",  "v1/power",          &Routes::power},
        {"POST", "v1/power",          &Routes::set_power},
        {"GET",  "v1/doctor",         &Routes::doctor},
        {"GET",  "v1/status",         &Routes::status},
        {"GET",  "v1/events",         &Routes::events},
        {"GET",  "v1/health",         &Routes::health},
        {"GET",  "metrics",           &Routes::metrics},
        {"GET",  "",                  &Routes::file},
        {"GET",  "*",                 &Routes::file},
    };
    // clang-format on
    return routes;
}

Routes::Routes(hub::Hub& hub, ServiceOptions options)
    : hub_(hub), options_(std::move(options)), workers_(options_.worker_threads) {}

void Routes::attach(HttpServer* server) {
    const std::lock_guard lock(server_mutex_);
    server_ = server;
}

void Routes::detach() {
    {
        const std::lock_guard lock(server_mutex_);
        server_ = nullptr;
    }
    workers_.stop();
}

void Routes::changed(const hub::Change& change) {
    const std::lock_guard lock(server_mutex_);
    if (server_ == nullptr) return;
    server_->publish(
        "job", std::to_string(change.sequence), [&change] { return change_json(change); });
}

void Routes::handle(Request request, Responder responder) {
    const std::vector<std::string>& segments = request.target.segments;
    std::string allowed;
    for (const Route& route : table()) {
        const std::vector<std::string_view> pattern = split(route.pattern, '/');
        if (pattern.size() != segments.size()) continue;
        std::string reference;
        bool fits = true;
        for (std::size_t i = 0; i < pattern.size() && fits; ++i) {
            if (pattern[i] == "*") {
                reference = segments[i];
            } else {
                fits = pattern[i] == segments[i];
            }
        }
        if (!fits) continue;
        if (route.method == request.method) {
            Call call{std::move(request), std::move(responder), std::move(reference)};
            return (this->*route.function)(std::move(call));
        }
        if (allowed.find(route.method) == std::string::npos) {
            allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
        }
    }
    if (allowed.empty()) {
        return responder.send(refusal({Code::not_found,
                                       fmt::format("there is nothing at {}; the addresses begin "
                                                   "with /v1/, the console is /",
                                                   text_of(request.target))}));
    }
    Response response = refusal({Code::invalid,
                                 fmt::format("{} is not possible at {}; valid: {}",
                                             request.method,
                                             text_of(request.target),
                                             allowed)});
    response.status = 405;
    response.headers.emplace_back("Allow", allowed);
    responder.send(std::move(response));
}

void Routes::on_worker(const Responder& responder, std::function<void()> task) {
    if (!workers_.run(std::move(task))) {
        responder.send(refusal({Code::unavailable,
                                "the hub has more requests waiting than it can take; try again in "
                                "a moment"}));
    }
}

// A reply of the hub that a worker turns into text.
template <class View, class Render>
hub::Reply<View> Routes::answer_with(Responder responder, Render render) {
    return [self = shared_from_this(), responder, render](Result<View> result) {
        if (!result.has_value()) return responder.send(refusal(std::move(result).error()));
        auto view = std::make_shared<const View>(std::move(*result));
        self->on_worker(responder, [view, responder, render] { responder.send(render(*view)); });
    };
}

void Routes::submit(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    const Responder responder = call.responder;
    auto body = std::make_shared<const std::string>(std::move(call.request.body));
    on_worker(responder, [self = shared_from_this(), responder, body] {
        Result<SubmitBody> sent = parse_submit_body(*body);
        if (!sent.has_value()) return responder.send(refusal(sent.error()));
        using Accepted = std::vector<hub::Accepted>;
        const auto render = [notes = std::move(sent->notes)](Accepted accepted) {
            // What the parser remarked stands before what the hub did.
            for (std::size_t i = 0; i < accepted.size() && i < notes.size(); ++i) {
                accepted[i].notes.insert(
                    accepted[i].notes.begin(), notes[i].begin(), notes[i].end());
            }
            return json(accepted_json(accepted));
        };
        self->hub_.submit_all(
            std::move(sent->submissions), [self, responder, render](Result<Accepted> accepted) {
                if (accepted.has_value() && accepted->size() <= accepted_inline_max) {
                    return responder.send(render(std::move(*accepted)));
                }
                self->answer_with<Accepted>(responder, render)(std::move(accepted));
            });
    });
}

void Routes::jobs(Call call) {
    Result<hub::JobFilter> filter = filter_of(call.request.target);
    if (!filter.has_value()) return call.responder.send(refusal(filter.error()));
    using Jobs = std::vector<hub::JobView>;
    hub_.jobs(std::move(*filter), answer_with<Jobs>(call.responder, [](const Jobs& jobs) {
                  return json(jobs_json(jobs));
              }));
}

void Routes::job(Call call) {
    Result<hub::MemberQuery> query = members_of(call.request.target);
    if (!query.has_value()) return call.responder.send(refusal(query.error()));
    const auto render = [](const hub::Members& members) { return json(members_json(members)); };
    hub_.job(call.reference, std::move(*query), answer_with<hub::Members>(call.responder, render));
}

void Routes::counts(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    hub_.counts(call.reference, [responder = call.responder](Result<hub::MemberCounts> counts) {
        responder.send(counts.has_value() ? json(counts_json(*counts)) : refusal(counts.error()));
    });
}

void Routes::cancel(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    hub_.cancel(call.reference, [responder = call.responder](Result<std::uint32_t> count) {
        responder.send(count.has_value() ? json(cancelled_json(*count)) : refusal(count.error()));
    });
}

void Routes::explain(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    hub_.explain(call.reference,
                 answer_with<hub::ExplainView>(call.responder, [](const hub::ExplainView& view) {
                     return json(explain_json(view));
                 }));
}

void Routes::logs(Call call) {
    Result<LogQuery> query = log_query_of(call.request.target);
    if (!query.has_value()) return call.responder.send(refusal(query.error()));
    const auto render = [query = *query](const hub::Members& members) {
        Result<Response> response = log_response(members, query);
        return response.has_value() ? std::move(*response) : refusal(response.error());
    };
    // One member is enough to tell an array from a job.
    hub_.job(call.reference,
             {.states = {}, .offset = 0, .limit = 1},
             answer_with<hub::Members>(call.responder, render));
}

void Routes::fleet(Call call) {
    using Pools = std::vector<hub::PoolView>;
    hub_.fleet(answer_with<Pools>(call.responder, [self = shared_from_this()](const Pools& pools) {
        std::vector<std::vector<Rate>> rates(pools.size());
        for (std::size_t i = 0; i < pools.size() && self->options_.rates; ++i) {
            rates[i] = self->options_.rates(pools[i].pool);
        }
        return json(fleet_json(pools, rates));
    }));
}

// What an operator asks, answered by the sentence that says what is now.
template <class Wish>
void Routes::operate(const Call& call, Result<Wish> wish) {
    const Responder responder = call.responder;
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return responder.send(refusal(known.error()));
    }
    if (!wish.has_value()) return responder.send(refusal(wish.error()));
    hub_.operate(hub::Operation(std::move(*wish)), [responder](Result<std::string> done) {
        responder.send(done.has_value() ? json(done_json(*done)) : refusal(done.error()));
    });
}

namespace {

template <class Wish>
Result<Wish> without_keys(std::string_view body, Wish wish) {
    WEIR_CHECK(parse_empty_body(body));
    return wish;
}

}  // namespace

void Routes::reserve(Call call) {
    operate(call, parse_reservation_body(call.request.body));
}

void Routes::unreserve(Call call) {
    operate(call, without_keys(call.request.body, hub::EndReservation{call.reference}));
}

void Routes::drain(Call call) {
    operate(call, parse_drain_body(call.request.body, call.reference));
}

void Routes::restore(Call call) {
    operate(call, without_keys(call.request.body, hub::RestoreNode{call.reference}));
}

void Routes::set_power(Call call) {
    operate(call, parse_power_body(call.request.body));
}

void Routes::checkpointed(Call call) {
    operate(call, without_keys(call.request.body, hub::NoteCheckpoint{call.reference}));
}

void Routes::reservations(Call call) {
    using Reservations = std::vector<hub::ReservationView>;
    hub_.reservations(answer_with<Reservations>(
        call.responder, [](const Reservations& all) { return json(reservations_json(all)); }));
}

void Routes::datasets(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    using Datasets = std::vector<hub::DatasetView>;
    hub_.datasets(answer_with<Datasets>(
        call.responder, [](const Datasets& all) { return json(datasets_json(all)); }));
}

void Routes::tenants(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    using Tenants = std::vector<hub::TenantView>;
    hub_.tenants(answer_with<Tenants>(
        call.responder, [](const Tenants& tenants) { return json(tenants_json(tenants)); }));
}

void Routes::loans(Call call) {
    if (auto known = call.request.target.expect_only({}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    using Loans = std::vector<hub::KnownLoan>;
    hub_.loans(answer_with<Loans>(call.responder,
                                  [](const Loans& loans) { return json(loans_json(loans)); }));
}

void Routes::offer_loan(Call call) {
    operate(call, parse_loan_body(call.request.body));
}

template <tenancy::LoanEvent event>
void Routes::move_loan(Call call) {
    operate(call, without_keys(call.request.body, hub::MoveLoan{call.reference, event}));
}

void Routes::break_loan(Call call) {
    operate(call, parse_break_body(call.request.body, call.reference));
}

void Routes::statement(Call call) {
    const Target& target = call.request.target;
    if (auto known = target.expect_only({"tenant", "month"}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    std::optional<Time> at;
    if (const std::string* month = target.find("month")) {
        const auto first = parse_time(*month + "-01");
        if (!first) {
            return call.responder.send(refusal(
                {Code::invalid,
                 fmt::format("parameter month: \"{}\" is no month such as 2026-11", *month)}));
        }
        at = *first;
    }
    const auto tenant = tenant_of(target);
    if (!tenant) return call.responder.send(refusal(tenant.error()));
    hub_.statement(
        *tenant,
        at,
        answer_with<tenancy::Statement>(call.responder, [](const tenancy::Statement& statement) {
            return json(statement_json(statement));
        }));
}

void Routes::power(Call call) {
    if (auto known = call.request.target.expect_only({"of"}); !known.has_value()) {
        return call.responder.send(refusal(known.error()));
    }
    const std::string* of = call.request.target.find("of");
    using Domains = std::vector<hub::PowerView>;
    hub_.power(of == nullptr ? "" : *of,
               answer_with<Domains>(call.responder, [](const Domains& domains) {
                   return json(power_json(domains));
               }));
}

void Routes::doctor(Call call) {
    on_worker(call.responder, [self = shared_from_this(), responder = call.responder] {
        responder.send(json(
            checks_json(self->options_.doctor ? self->options_.doctor() : std::vector<Check>{})));
    });
}

void Routes::status(Call call) {
    hub_.status(answer_with<hub::Status>(call.responder,
                                         [self = shared_from_this()](const hub::Status& status) {
                                             HubFacts facts = self->options_.facts;
                                             {
                                                 const std::lock_guard lock(self->server_mutex_);
                                                 if (self->server_ != nullptr)
                                                     facts.url = self->server_->url();
                                             }
                                             return json(status_json(status, facts));
                                         }));
}

void Routes::events(Call call) {
    call.responder.stream_events();
}

void Routes::health(Call call) {
    call.responder.send(json("{\"ok\":true}"));
}

void Routes::metrics(Call call) {
    const auto self = shared_from_this();
    const Responder responder = call.responder;
    hub_.status([self, responder](Result<hub::Status> status) {
        if (!status.has_value()) return responder.send(refusal(status.error()));
        using Pools = std::vector<hub::PoolView>;
        self->hub_.fleet(
            self->answer_with<Pools>(responder, [self, status = *status](const Pools& pools) {
                ServerStats server;
                {
                    const std::lock_guard lock(self->server_mutex_);
                    if (self->server_ != nullptr) server = self->server_->stats();
                }
                Response response;
                response.type = "text/plain; version=0.0.4; charset=utf-8";
                response.body = metrics_text(status, pools, server, self->options_.facts.version);
                return response;
            }));
    });
}

// The console. An ETag is enough: the files are small and asked for once per visit.
void Routes::file(Call call) {
    const std::string path = call.reference.empty() ? "index.html" : call.reference;
    const auto files = embedded_files();
    const auto found = std::find_if(files.begin(), files.end(), [&](const EmbeddedFile& candidate) {
        return candidate.path == path;
    });
    if (found == files.end()) {
        return call.responder.send(
            refusal({Code::not_found,
                     fmt::format("there is nothing at {}; the addresses begin "
                                 "with /v1/, the console is /",
                                 text_of(call.request.target))}));
    }
    Response response;
    response.type = std::string(found->type);
    const std::string tag = fmt::format("\"{}\"", found->digest);
    response.headers = {{"ETag", tag},
                        {"Cache-Control", "no-cache"},
                        {"Content-Security-Policy", std::string(console_policy)}};
    if (call.request.header("If-None-Match").find(tag) != std::string_view::npos) {
        response.status = 304;
    } else {
        response.body = std::string(found->bytes);
    }
    call.responder.send(std::move(response));
}

}  // namespace weir::api
