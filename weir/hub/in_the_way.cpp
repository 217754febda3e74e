#include "weir/hub/in_the_way.hpp"

#include <algorithm>

#include "weir/base/units.hpp"

namespace weir::hub {
namespace {

template <class A, class B>
bool share_a_node(const A& a, const B& b) {
    return a.pool == b.pool && a.first < b.first + b.count && b.first < a.first + a.count;
}

bool meets(const fleet::Placement& placement, const std::vector<sched::Advance::Nodes>& nodes) {
    for (const fleet::NodeRange& range : placement.ranges) {
        for (const sched::Advance::Nodes& run : nodes) {
            if (share_a_node(range, run)) return true;
        }
    }
    return false;
}

bool meets(const sched::Advance& a, const sched::Advance& b) {
    if (a.from >= b.until || b.from >= a.until) return false;
    for (const sched::Advance::Nodes& one : a.nodes) {
        for (const sched::Advance::Nodes& other : b.nodes) {
            if (share_a_node(one, other)) return true;
        }
    }
    return false;
}

Time end_by_limit(Time start, Duration limit) {
    return limit >= never - start ? never : start + limit;
}

}  // namespace

std::vector<JobId> jobs_on(const sched::Advance::Nodes& run, const Book& book) {
    std::vector<JobId> jobs;
    for (const JobId id : book.running()) {
        if (meets(book.find(id)->attempts.back().placement, {run})) jobs.push_back(id);
    }
    return jobs;
}

Result<void> nobody_in_the_way(const sched::Advance& advance, const Book& book) {
    constexpr std::size_t named_max = 5;
    std::vector<std::string> reasons;
    for (const auto& [id, other] : book.reservations()) {
        if (!meets(advance, other.advance)) continue;
        reasons.push_back("reservation " + other.name + " has some of them from " +
                          format_time(other.advance.from) + " to " +
                          format_time(other.advance.until));
    }
    for (const JobId id : book.running()) {
        const Job& job = *book.find(id);
        const Attempt& attempt = job.attempts.back();
        const Time end = end_by_limit(attempt.started_at, job.family->request.limit);
        if (end <= advance.from || !meets(attempt.placement, advance.nodes)) continue;
        reasons.push_back(book.described(id) + " runs there, by its limit until " +
                          (end >= never ? "any time" : format_time(end)));
    }
    for (const auto& [id, promise] : book.promises()) {
        const Job* job = book.find(id);
        if (job == nullptr || promise.at >= advance.until) continue;
        const Duration limit = book.request_now(*job).limit;
        const Time end = end_by_limit(promise.at, limit);
        if (end <= advance.from || !meets(promise.placement, advance.nodes)) continue;
        reasons.push_back(book.described(id) + " was promised to start there at " +
                          format_time(promise.at) + ", for up to " + format_duration(limit));
    }
    if (reasons.empty()) return {};
    std::string text = "these nodes are not free from " + format_time(advance.from) + " to " +
                       format_time(advance.until) + ": ";
    for (std::size_t i = 0; i < reasons.size() && i < named_max; ++i)
        text += (i > 0 ? "; " : "") + reasons[i];
    if (reasons.size() > named_max) {
        text += "; and " + format_count(reasons.size() - named_max, "more");
    }
    return fail(Code::conflict, text);
}

}  // namespace weir::hub
