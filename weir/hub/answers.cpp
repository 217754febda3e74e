// What the Keeper answers to questions: from the book for jobs that wait or run, from their
// documents for those that ended.
#include <algorithm>

#include "weir/hub/keeper.hpp"
#include "weir/hub/power.hpp"
#include "weir/hub/views.hpp"

namespace weir::hub {
namespace {

// An estimate of a start looks at what is free over time; of so many in one answer, no more.
constexpr std::size_t estimates_max = 1000;

}  // namespace

Result<JobView> Keeper::load(JobId id) {
    if (const Job* job = book_->find(id)) {
        JobView view = view_of(*job, *book_, options_.data_dir);
        if (job->state != JobState::held) return view;
        const std::string trouble = move_trouble(job->family->request.data);
        if (!trouble.empty()) view.reason += "; " + trouble;
        return view;
    }
    WEIR_TRY(const auto document, store_.find(job_collection, std::to_string(id.value)));
    if (!document) {
        return fail(Code::io,
                    book_->described(id) + " has ended, but the store has no document of it");
    }
    return job_view_of(*document);
}

// Only the members that are shown are read from the disk: one costs as much as a hundred that are
// only counted.
Result<Members> Keeper::job(const std::string& reference, const MemberQuery& query) {
    const Register& everybody = book_->everybody();
    const std::vector<JobId> found = everybody.find(reference);
    if (found.empty()) return fail(unknown_job(reference));
    JobFilter filter;
    filter.states = query.states;
    const Sieve sieve(filter, everybody);
    Members members;
    for (const JobId id : found) {
        if (!sieve.takes(everybody.line(id))) continue;
        if (++members.total <= query.offset || members.jobs.size() >= query.limit) continue;
        WEIR_TRY(JobView view, load(id));
        if (members.jobs.size() < estimates_max)
            tell_start(view, *book_, now_, !waits_for_change());
        members.jobs.push_back(std::move(view));
    }
    return members;
}

Result<MemberCounts> Keeper::counts(const std::string& reference) {
    const Register& everybody = book_->everybody();
    const std::vector<JobId> found = everybody.find(reference);
    if (found.empty()) return fail(unknown_job(reference));
    std::map<JobState, std::uint64_t> by_state;
    MemberCounts counts;
    counts.id =
        found.size() > 1 ? std::to_string(found.front().value) : everybody.id_of(found.front());
    counts.members = found.size();
    for (const JobId id : found) {
        const JobState state = everybody.line(id).state;
        ++by_state[state];
        if (!is_final(state)) continue;
        ++counts.ended;
        if (state != JobState::succeeded && counts.first_failed.empty()) {
            counts.first_failed = everybody.id_of(id);
        }
    }
    counts.states.assign(by_state.begin(), by_state.end());
    return counts;
}

Result<std::vector<JobView>> Keeper::jobs(const JobFilter& filter) {
    const Register& everybody = book_->everybody();
    const Sieve sieve(filter, everybody);
    std::vector<JobView> views;
    for (std::uint64_t id = everybody.next().value - 1; id > 0; --id) {
        if (views.size() >= filter.limit) break;
        if (!sieve.takes(everybody.line(JobId{id}))) continue;
        WEIR_TRY(JobView view, load(JobId{id}));
        if (views.size() < estimates_max) tell_start(view, *book_, now_, !waits_for_change());
        views.push_back(std::move(view));
    }
    return views;
}

Result<ExplainView> Keeper::explain(const std::string& reference) {
    const std::vector<JobId> found = book_->everybody().find(reference);
    if (found.empty()) return fail(unknown_job(reference));
    const auto pending = pending_change();
    const std::string change = pending ? pending->sentence : "";
    // Of an array, the member that is next: what holds it up holds up the others.
    for (const JobId id : found) {
        const Job* job = book_->find(id);
        if (job == nullptr || !job->waits()) continue;
        ExplainView view = hub::explain(*job, *book_, catalog_of(options_), now_, change);
        if (std::string trouble = move_trouble(job->family->request.data); !trouble.empty()) {
            view.details.push_back(std::move(trouble));
        }
        return view;
    }
    for (const JobId id : found) {
        if (const Job* job = book_->find(id))
            return hub::explain(*job, *book_, catalog_of(options_), now_, change);
    }
    WEIR_TRY(const JobView ended, load(found.back()));
    return hub::explain(ended);
}

std::vector<PoolView> Keeper::pools() const {
    return pools_of(*book_);
}

Status Keeper::status() const {
    const fleet::Fleet& fleet = book_->engine().fleet();
    return {.started_at = started_at_,
            .policy = book_->policy(),
            .nodes = fleet.nodes_total(),
            .chips = fleet.chips_total(),
            .pending_change = pending_change(),
            .over_power = over_power(*book_),
            .journal_entries = journal_entries_,
            .counts = book_->engine().counts(),
            .jobs_accepted = book_->everybody().next().value - 1,
            .jobs_ended = book_->jobs_ended(),
            .commits = commits_,
            .commit_microseconds_total = commit_microseconds_,
            .digest = book_->engine().digest()};
}

}  // namespace weir::hub
