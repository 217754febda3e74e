#include "weir/hub/views.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "weir/hub/admission.hpp"
#include "weir/hub/houses.hpp"
#include "weir/hub/launching.hpp"
#include "weir/hub/training.hpp"

namespace weir::hub {
namespace {

std::string amount(std::uint64_t milli) {
    std::string text = std::to_string(milli / 1000);
    if (milli % 1000 == 0) return text;
    std::string rest = std::to_string(1000 + milli % 1000).substr(1);
    while (rest.back() == '0')
        rest.pop_back();
    return text + "." + rest;
}

// Every node once, in the order of the first rank on it.
std::vector<std::string> nodes_of(const Attempt& attempt, const fleet::Fleet& fleet) {
    const std::vector<std::string> all =
        attempt.end ? attempt.nodes_by_rank : nodes_by_rank(attempt.placement, fleet);
    std::vector<std::string> nodes;
    std::set<std::string_view> seen;
    for (const std::string& node : all) {
        if (seen.insert(node).second) nodes.push_back(node);
    }
    return nodes;
}

// The first job that a held one waits for.
std::optional<sched::Dependency> first_unmet(const Job& job, const Book& book) {
    for (const sched::Dependency& dependency : job.family->request.after) {
        if (!is_final(book.everybody().line(dependency.job).state)) return dependency;
    }
    return std::nullopt;
}

// Short enough for a table, and cheap: no walk through the queue.
std::string why_it_waits(const Job& job, const Book& book) {
    if (!job.reason.empty()) return job.reason;
    if (job.state == JobState::held) {
        const auto unmet = first_unmet(job, book);
        if (unmet) return "waits for " + book.described(unmet->job);
        if (job.family->request.data.empty()) return "waits for another job";
        const std::string data = book.what_data_it_waits_for(job);
        return "waits for " + (data.empty() ? "its data" : data);
    }
    const sched::Request& request = job.family->request;
    if (request.array_at_once_max > 0 && job.family->running >= request.array_at_once_max) {
        return "as many of its array run as may";
    }
    if (!book.deadline_trouble(job).empty()) return "may miss its deadline";
    if (book.promise(job.id) != nullptr) return "has a promise";
    if (!book.engine().has_right(job.id)) return "its organisation may not have so much now";
    return "waits its turn";
}

const char* word_for(sched::Needs needs) {
    switch (needs) {
        case sched::Needs::success:
            return "to succeed";
        case sched::Needs::end:
            return "to end";
        case sched::Needs::failure:
            return "to fail";
    }
    return "to end";
}

// The running jobs that hold these pools: first those who will be asked to stop, then the largest.
void add_holders(std::vector<std::string>& details,
                 const Book& book,
                 const std::vector<PoolId>& pools,
                 const std::vector<sched::Explanation::NotYet>& not_yet) {
    constexpr std::size_t holders_named_max = 5;
    struct Holder {
        std::uint64_t chips_milli;
        std::uint64_t cpus_milli;
        const Job* job;
        const sched::Explanation::NotYet* not_yet;
    };
    std::vector<Holder> holders;
    for (const JobId id : book.running()) {
        const Job* job = book.find(id);
        const fleet::Placement* placement = book.engine().placement(id);
        if (job == nullptr || placement == nullptr) continue;
        const auto its = std::find_if(
            not_yet.begin(), not_yet.end(), [id](const auto& each) { return each.job == id; });
        Holder holder{0, 0, job, its == not_yet.end() ? nullptr : &*its};
        for (const fleet::NodeRange& range : placement->ranges) {
            if (std::find(pools.begin(), pools.end(), range.pool) == pools.end()) continue;
            const fleet::ReplicaDemand& each =
                job->family->request.demand.parts.at(range.part).each;
            const std::uint64_t replicas = std::uint64_t{range.count} * range.replicas;
            holder.chips_milli +=
                replicas * (std::uint64_t{each.chips} * 1000 + each.chip_permille);
            holder.cpus_milli += replicas * each.cpus_milli;
        }
        if (holder.chips_milli + holder.cpus_milli > 0) holders.push_back(holder);
    }
    std::stable_sort(holders.begin(), holders.end(), [](const Holder& a, const Holder& b) {
        if ((a.not_yet != nullptr) != (b.not_yet != nullptr)) return a.not_yet != nullptr;
        if (a.chips_milli != b.chips_milli) return a.chips_milli > b.chips_milli;
        return a.cpus_milli > b.cpus_milli;
    });
    for (std::size_t i = 0; i < holders.size() && i < holders_named_max; ++i) {
        const Holder& holder = holders[i];
        std::string text = book.described(holder.job->id) + " holds ";
        if (holder.chips_milli > 0) text += amount(holder.chips_milli) + " chips and ";
        text += amount(holder.cpus_milli) + " CPUs";
        const Duration limit = holder.job->family->request.limit;
        if (limit < forever) {
            text += ", by its limit until " +
                    format_time(holder.job->attempts.back().started_at + limit);
        }
        if (holder.not_yet != nullptr) {
            const Time until = holder.not_yet->until;
            text += "; for this one it is " +
                    (until < never ? "not stopped before " + format_time(until) : "never stopped") +
                    " (" + holder.not_yet->rule + ")";
        }
        details.push_back(std::move(text));
    }
    if (holders.size() > holders_named_max) {
        details.push_back(std::to_string(holders.size() - holders_named_max) +
                          " more jobs hold the rest");
    }
}

struct StartTime {
    std::optional<Time> at;
    bool promised = false;
};

StartTime start_of(const Job& job, const Book& book, Time now, bool is_estimated) {
    if (job.state != JobState::pending) return {};
    if (const Book::Promise* promise = book.promise(job.id)) return {promise->at, true};
    if (!is_estimated) return {};
    const sched::Engine::Estimate estimate = book.engine().estimate(job.id, now);
    if (estimate.at >= never) return {};
    return {std::max(estimate.at, now), estimate.promised};
}

void add_reservation(std::vector<std::string>& details, const Job& job, const Book& book) {
    const auto known = book.reservations().find(AdvanceId{job.family->request.demand.tag});
    if (known == book.reservations().end()) return;
    const sched::Advance& advance = known->second.advance;
    details.push_back("it runs inside reservation " + known->second.name + ", from " +
                      format_time(advance.from) + " to " + format_time(advance.until));
}

void explain_held(ExplainView& view, const Job& job, const Book& book) {
    if (!job.family->is_served) {
        view.cause = "no_chip";
        view.sentence = "It waits for another fleet: " + job.reason + ".";
        return;
    }
    constexpr std::size_t named_max = 10;
    std::size_t unmet = 0;
    for (const sched::Dependency& dependency : job.family->request.after) {
        const JobState state = book.everybody().line(dependency.job).state;
        if (is_final(state)) continue;
        if (++unmet > named_max) continue;
        view.details.push_back(book.described(dependency.job) + " is " +
                               std::string(name_of(state)));
    }
    if (unmet > named_max) {
        view.details.push_back("and " + format_count(unmet - named_max, "more job"));
    }
    for (const std::string& dataset : job.family->request.data) {
        const JobId maker = book.maker_of(dataset);
        if (maker.valid()) {
            view.details.push_back("dataset " + dataset + " is to be made by " +
                                   book.described(maker));
            continue;
        }
        const auto id = book.engine().staging().find(dataset);
        if (id && book.engine().staging().is_anywhere(*id)) continue;
        view.details.push_back("nobody that waits or runs is to make dataset " + dataset +
                               "; submit a job that makes it, or cancel this one");
    }
    if (const auto first = first_unmet(job, book)) {
        view.sentence = "It waits for " + book.described(first->job) + " " +
                        word_for(first->needs) +
                        (unmet > 1 ? ", and for " + format_count(unmet - 1, "other") + "." : ".");
    }
}

std::string ended_sentence(JobState state, const std::string& reason, std::optional<Time> at) {
    std::string text = "It ended as " + std::string(name_of(state));
    if (at) text += " at " + format_time(*at);
    if (!reason.empty()) text += ": " + reason;
    return text + ".";
}

// The number among those of its description; none: it trains nothing, or waits for another fleet.
std::optional<std::uint32_t> size_of(const Job& job, const Book& book) {
    const std::vector<job::TrainSize>& sizes = job.family->spec.sizes;
    std::uint32_t size = 0;
    if (!job.attempts.empty()) {
        size = job.attempts.back().size;
    } else if (!job.family->is_served || is_final(job.state)) {
        return std::nullopt;
    } else if (const Book::Promise* const promise = book.promise(job.id)) {
        size = promise->size;
    } else {
        size = book.engine().chosen_size(job.id);
    }
    return size < sizes.size() ? std::optional(size) : std::nullopt;
}

}  // namespace

JobView view_of(const Job& job, const Book& book, const std::string& data_dir) {
    const Register& everybody = book.everybody();
    const Family& family = *job.family;
    JobView view;
    view.job = job.id;
    view.id = everybody.id_of(job.id);
    view.array_index = everybody.array_index(job.id);
    view.state = job.state;
    view.reason = job.waits() ? why_it_waits(job, book) : job.reason;
    view.spec = family.spec;
    view.organisation = house_name(book.tenants().organisations, family.tenant);
    view.user = family.user;
    view.submitted_at = family.submitted_at;
    view.ended_at = job.ended_at;
    const sched::Request request = book.request_now(job);
    view.limit = request.limit;
    view.size = size_of(job, book);
    if (view.spec.train) {  // what it is not said to ask for, it does
        view.spec.gang.replicas = static_cast<std::uint32_t>(request.demand.replicas());
        view.spec.gang.chips = request.demand.parts.front().each.chips;
    }
    for (const Attempt& attempt : job.attempts) {
        view.attempts.push_back(
            {.number = attempt.number,
             .started_at = attempt.started_at,
             .cause = journal::word_for_start(attempt.cause),
             .stopped_for = attempt.stopped_for,
             .end = attempt.end,
             .tasks = tasks_of(job, attempt, everybody, book.engine().fleet(), data_dir)});
    }
    // A job that went back to the queue is nowhere and has not started.
    if (!job.attempts.empty() && !job.waits()) {
        view.started_at = job.attempts.back().started_at;
        view.nodes = nodes_of(job.attempts.back(), book.engine().fleet());
    }
    return view;
}

void tell_start(JobView& view, const Book& book, Time now, bool is_estimated) {
    const Job* job = book.find(view.job);
    if (job == nullptr) return;
    const StartTime start = start_of(*job, book, now, is_estimated);
    view.starts_at = start.at;
    view.starts_promised = start.promised;
}

Sieve::Sieve(const JobFilter& filter, const Register& everybody) {
    for (const JobState state : filter.states)
        states_ |= 1U << static_cast<unsigned>(state);
    const auto set = [&](std::optional<Register::Symbol>& symbol, const std::string& text) {
        if (text.empty()) return;
        symbol = everybody.symbol_of(text);
        if (!symbol) nobody_ = true;
    };
    set(name_, filter.name);
    set(tenant_, filter.tenant);
    set(user_, filter.user);
}

bool Sieve::takes(const Register::Line& line) const {
    if (nobody_) return false;
    if (states_ != 0 && (states_ >> static_cast<unsigned>(line.state) & 1U) == 0) return false;
    return (!name_ || line.name == *name_) && (!tenant_ || line.tenant == *tenant_) &&
           (!user_ || line.user == *user_);
}

std::string sentence_of(const Book::BrokenPromise& broken, const Book& book) {
    std::string text = book.described(broken.job) + " was promised to start by " +
                       format_time(broken.promised) + "; ";
    text += broken.reason.empty()
                ? "failures, drained nodes, watts or higher classes took the room"
                : "another fleet, policy or tenants file is in force, and " + broken.reason;
    text += ", and now ";
    text += broken.now >= never ? "nothing can be promised"
                                : "it is promised " + format_time(broken.now);
    const Job* const job = book.find(broken.job);
    const std::string trouble = job == nullptr ? "" : book.deadline_trouble(*job);
    return trouble.empty() ? text : text + ": " + trouble;
}

namespace {

// Of all its sizes, each once.
std::vector<PoolId> pools_asked(const sched::Request& request) {
    std::vector<PoolId> pools = request.demand.pools;
    for (const sched::Size& size : request.sizes) {
        for (const PoolId pool : size.demand.pools)
            if (std::find(pools.begin(), pools.end(), pool) == pools.end()) pools.push_back(pool);
    }
    return pools;
}

// In which sizes a training job could run in pools that it does not accept.
std::vector<sched::Size> sizes_there(const job::JobSpec& spec,
                                     const sched::Request& request,
                                     const std::vector<PoolId>& pools,
                                     const fleet::Fleet& fleet,
                                     const catalog::Catalog& catalog) {
    std::vector<sched::Size> sizes;
    if (pools.empty()) return sizes;
    const auto planned = train_plan_of(spec, fleet, pools, catalog);
    if (!planned) return sizes;
    for (const job::TrainSize& size : planned->sizes)
        sizes.push_back(size_for_core(size, spec.gang, request.demand, fleet));
    return sizes;
}

// A job inside a reservation has but its nodes.
std::vector<ExplainView::Help> would_help(const Job& job,
                                          const Book& book,
                                          const catalog::Catalog& catalog,
                                          Time now) {
    const sched::Request& request = job.family->request;
    const fleet::Fleet& fleet = book.engine().fleet();
    std::vector<PoolId> others;
    std::vector<sched::Size> sizes;
    if (request.demand.tag == 0) {
        others = pools_not_accepted(fleet, job.family->spec, pools_asked(request), catalog);
        if (!request.sizes.empty())
            sizes = sizes_there(job.family->spec, request, others, fleet, catalog);
    }
    std::vector<ExplainView::Help> all;
    for (sched::Counterfactual& one : book.engine().counterfactuals(job.id, others, now, sizes)) {
        ExplainView::Help help{.change = std::string(sched::name_of(one.change)),
                               .starts_at = one.at,
                               .sentence = std::move(one.sentence)};
        if (one.other.valid()) help.sentence += ", when " + book.described(one.other) + " ends";
        all.push_back(std::move(help));
    }
    return all;
}

}  // namespace

ExplainView explain(const Job& job,
                    const Book& book,
                    const catalog::Catalog& catalog,
                    Time now,
                    const std::string& change) {
    ExplainView view;
    view.id = book.everybody().id_of(job.id);
    view.state = job.state;
    if (is_final(job.state)) {
        view.sentence = ended_sentence(job.state, job.reason, job.ended_at);
        return view;
    }
    const sched::Explanation told = book.engine().explain(job.id, now);
    view.sentence = told.sentence;
    if (job.runs()) {
        const Attempt& attempt = job.attempts.back();
        if (job.is_stopped_for_others()) {
            view.sentence = "It is being " + attempt.stopped_for +
                            ", and goes back to its old place in the queue.";
        } else if (job.state == JobState::stopping) {
            view.sentence = "It was asked to stop and is ending.";
        }
        std::string where;
        for (const std::string& node : nodes_of(attempt, book.engine().fleet())) {
            where += (where.empty() ? "" : ", ") + node;
        }
        view.cause = journal::word_for_start(attempt.cause);
        view.details.push_back("attempt " + std::to_string(attempt.number) + " runs since " +
                               format_time(attempt.started_at) + " on " + where);
        if (attempt.size < job.family->spec.sizes.size()) {
            view.details.push_back("its plan: " + job.family->spec.sizes[attempt.size].plan);
        }
        if (!attempt.why_size.empty())
            view.details.push_back("when it started: " + attempt.why_size);
        return view;
    }
    view.cause = std::string(sched::name_of(told.reason.cause));
    view.ahead = told.ahead;
    const StartTime start = start_of(job, book, now, change.empty());
    view.starts_at = start.at;
    view.starts_promised = start.promised;
    if (job.state == JobState::held) explain_held(view, job, book);
    // What the fleet that goes has free, and who holds it, decides nothing any more.
    if (!change.empty()) {
        view.cause = "fleet_change";
        view.ahead = 0;
        if (job.state == JobState::held) view.details.insert(view.details.begin(), view.sentence);
        view.sentence = "It waits: " + change + ".";
    }
    if (job.state == JobState::held) return view;
    if (change.empty()) {
        view.details = told.also;
        if (const auto size = size_of(job, book)) {
            const job::TrainSize& its = job.family->spec.sizes[*size];
            view.details.push_back("the plan of the size that it asks for: " + its.plan);
        }
        view.would_help = would_help(job, book, catalog, now);
        if (told.reason.other.valid() && told.reason.other != job.id) {
            view.details.push_back("in front of it: " + book.described(told.reason.other));
        }
    }
    if (const Book::BrokenPromise* const lost = book.lost_promise(job.id)) {
        view.details.push_back(
            "it had been promised to start by " + format_time(lost->promised) +
            ", before another fleet, policy or tenants file came into force: " + lost->reason);
    }
    add_reservation(view.details, job, book);
    if (const std::string trouble = book.deadline_trouble(job); !trouble.empty()) {
        view.details.push_back(trouble);
    }
    if (!job.attempts.empty() && !job.attempts.back().stopped_for.empty()) {
        view.details.push_back("attempt " + std::to_string(job.attempts.back().number) + " was " +
                               job.attempts.back().stopped_for);
    }
    if (change.empty()) {
        add_holders(view.details, book, pools_asked(job.family->request), told.not_yet);
    }
    return view;
}

ExplainView explain(const JobView& ended) {
    ExplainView view;
    view.id = ended.id;
    view.state = ended.state;
    view.sentence = ended_sentence(ended.state, ended.reason, ended.ended_at);
    return view;
}

std::vector<PoolView> pools_of(const Book& book) {
    const fleet::Fleet& fleet = book.engine().fleet();
    std::vector<PoolView> views;
    for (std::uint32_t i = 0; i < fleet.pools.size(); ++i) {
        views.push_back({.pool = fleet.pools[i],
                         .free = book.engine().free_of(PoolId{i}),
                         .jobs_running = 0,
                         .drained = {}});
    }
    for (const auto& [node, why] : book.drained()) {
        views.at(node.first.value)
            .drained.push_back({.node = fleet.node_name(node.first, node.second),
                                .reason = why.reason,
                                .since = why.since});
    }
    for (const JobId id : book.running()) {
        const fleet::Placement* placement = book.engine().placement(id);
        if (placement == nullptr) continue;
        std::vector<PoolId> seen;
        for (const fleet::NodeRange& range : placement->ranges) {
            if (std::find(seen.begin(), seen.end(), range.pool) != seen.end()) continue;
            seen.push_back(range.pool);
            ++views.at(range.pool.value).jobs_running;
        }
    }
    return views;
}

}  // namespace weir::hub
