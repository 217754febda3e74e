// Why a job is where it is, from the same state that decides. Nothing is kept for this: the causes
// are asked for when somebody wants to know.
#include <algorithm>

#include "weir/sched/engine_state.hpp"
#include "weir/sched/sentence.hpp"

namespace weir::sched {

Explanation Engine::explain(JobId id, Time now) const {
    State& state = *state_;
    const JobTable::Mark mark = state.jobs.mark(id);
    Explanation answer{.phase = mark.phase, .reason = {}, .ahead = 0, .sentence = {}, .also = {}};
    if (mark.slot == no_slot) {
        answer.sentence = mark.phase == Phase::ended ? "It has ended." : "It is not known.";
        return answer;
    }
    const Job& job = state.jobs.at(mark.slot);
    const fleet::Shape& shape = state.shapes[job.shape].shape;
    if (job.phase == Phase::running) {
        answer.reason = {.cause = job.cause, .until = job.end_by};
        answer.sentence = "It runs, " + std::string(start_in_words(job.cause)) +
                          "; by its limit it ends " + in_words(job.end_by, now) + ".";
        if (std::string sizes = sizes_in_words(id, now); !sizes.empty())
            answer.also.push_back("when it started: " + std::move(sizes));
        return answer;
    }
    if (const auto its = state.with_data.find(id);
        job.phase == Phase::held && job.unmet == 0 && its != state.with_data.end()) {
        answer.reason = {.cause = Cause::waits_for_data, .until = job.promise.at};
        answer.sentence = "It waits for its data: " + state.data_in_words(its->second, now);
        answer.sentence +=
            job.promise.found()
                ? "; it is promised to start " + in_words(job.promise.at, now) + " at the latest."
                : ".";
        return answer;
    }
    if (job.phase == Phase::held) {
        answer.reason.cause = Cause::dependency;
        if (const auto its = state.dependencies.find(id); its != state.dependencies.end()) {
            for (const Dependency& dependency : its->second) {
                if (state.jobs.mark(dependency.job).phase == Phase::ended) continue;
                answer.reason.other = dependency.job;
                break;
            }
        }
        answer.sentence = "It waits for another job to end first.";
        return answer;
    }

    answer.ahead = state.queue.up_to(job.rank).count - 1;
    if (!job.parked) answer.not_yet = state.not_to_be_stopped_yet(job, now);
    const bool has_sizes = state.sizing.count({job.rank, mark.slot}) > 0;
    if (has_sizes) answer.also.push_back("of its sizes: " + state.sizes_in_words(mark.slot, now));
    std::string asked = demand_in_words(shape.demand);
    if (has_sizes) {
        const State::WithSizes& its = state.with_sizes.at(id);
        asked = "one of its sizes, " + state.size_in_words(its.sizes[its.current]);
    }
    const std::string free_now = free_in_words(state.fleet, state.free, shape.demand);
    if (job.parked) {
        const State::Array& array = state.arrays.at(job.array);
        answer.reason = {.cause = Cause::array_throttle, .other = job.array};
        answer.sentence = "Its array runs " + std::to_string(array.running) +
                          " members, which is as many as it asked to run at once.";
        return answer;
    }
    if (const std::string loan = state.loan_in_its_way(job); !loan.empty()) {
        answer.reason = {.cause = Cause::on_loan, .until = job.promise.at};
        answer.sentence = "It asks for " + asked + ", but " + loan;
        answer.sentence +=
            job.promise.found()
                ? "; it is promised to start " + in_words(job.promise.at, now) + " at the latest."
                : ".";
        return answer;
    }
    const State::Obstacle obstacle = state.obstacle_for(job, now);
    if (state.allowed_for(job) == 0) {
        answer.reason.cause = Cause::over_quota;
        answer.sentence = "It asks for " + asked + ", but " +
                          state.quotas.in_words(job.tenant, state.shapes[job.shape].kinds) + ".";
        if (!obstacle.words.empty()) {
            answer.also.push_back(obstacle.words);
        } else if (!state.free.fits(shape, Time::min())) {
            answer.also.push_back("and there is no room for it: " + free_now);
        }
        return answer;
    }
    const std::string in_its_way = obstacle.words.empty() ? free_now : obstacle.words;
    if (job.promise.found()) {
        answer.reason = {.cause = Cause::reserved, .until = job.promise.at};
        answer.sentence = "It asks for " + asked + ", but " + in_its_way +
                          "; it is promised to start " + in_words(job.promise.at, now) +
                          " at the latest.";
        return answer;
    }
    // Who holds a promise in its pools, or else who is first.
    const Job* before = nullptr;
    for (const auto& [rank, slot] : state.promised) {
        for (const fleet::NodeRange& range : state.jobs.at(slot).promise.placement.ranges) {
            const auto& pools = shape.demand.pools;
            if (std::find(pools.begin(), pools.end(), range.pool) == pools.end()) continue;
            before = &state.jobs.at(slot);
            break;
        }
        if (before != nullptr) break;
    }
    if (before == nullptr && answer.ahead == 0) {
        answer.reason = {.cause = obstacle.words.empty() ? Cause::reserved : obstacle.cause,
                         .until = obstacle.until};
        answer.sentence = "It is first in the queue and asks for " + asked + ", but " + in_its_way;
        answer.sentence += obstacle.until != never
                               ? "."
                               : "; when that will change is not known, so no start is promised.";
        return answer;
    }
    const auto any = [](const Stretch&, const Stretch&) { return true; };
    const JobId other = before != nullptr
                            ? before->id
                            : state.jobs.at(state.queue.first(nullptr, {}, any)->slot).id;
    const Time until = before != nullptr ? before->promise.at : never;
    if (!state.policy.backfill) {
        answer.reason = {.cause = Cause::behind, .other = other};
        answer.sentence = "The order is strict, and others are before it.";
    } else if (!obstacle.words.empty()) {
        answer.reason = {.cause = obstacle.cause, .other = other, .until = obstacle.until};
        answer.sentence = "It asks for " + asked + ", but " + obstacle.words + ".";
    } else if (before != nullptr && state.free.fits(shape, Time::min())) {
        answer.reason = {.cause = Cause::would_delay, .other = other, .until = until};
        answer.sentence =
            "It fits now, but with its time limit it would delay the job that "
            "is to start " +
            in_words(until, now) + ".";
    } else {
        answer.reason = {.cause = Cause::waits_for_room, .other = other, .until = until};
        answer.sentence =
            "It asks for " + asked + ", but " + free_now + ", and others are before it.";
    }
    return answer;
}

}  // namespace weir::sched
