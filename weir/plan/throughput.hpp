// How fast a job trains on so many chips of a kind, for those who ask again and again.
//
// A scheduler that sizes elastic jobs asks for the throughput of a model on 8, 16, 32, ... chips
// many times a second. The first question is a search (search.hpp); its answer is kept, and so is
// that there is none.
//
//     const Throughput::Subject subject = throughput.subject(job, machine);  // once for each job
//     throughput.tokens_per_s(subject, 64);
//
// Threads: one thread owns it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "weir/plan/search.hpp"

namespace weir::plan {

class Throughput {
public:
    // A job on a kind of machine, searched by one set of options; equal ones share answers.
    enum class Subject : std::uint32_t {};
    // How many chips is asked for later; with options.fewer_chips, "at most so many".
    // Cost: about a hundred nanoseconds.
    Subject subject(const TrainingJob& job,
                    const Machine& machine,
                    const SearchOptions& options = {});

    // The best plan on so many chips; nullptr where none fits. The pointer is good for as
    // long as the object is.
    // Cost: a search the first time, tens of nanoseconds from then on.
    const Plan* best(Subject subject, std::uint64_t chips);
    // 0 where none fits.
    double tokens_per_s(Subject subject, std::uint64_t chips) {
        const Plan* const plan = best(subject, chips);
        return plan == nullptr ? 0 : plan->prediction.tokens_per_s;
    }

    [[nodiscard]] std::uint64_t searches() const { return searches_; }

private:
    struct Known {
        std::vector<double> key;  // the machine, in numbers
        TrainingModel model;
        SearchOptions options;
        std::unordered_map<std::uint64_t, std::optional<Plan>> plans{};  // by chips
    };
    std::deque<Known> known_;
    std::unordered_multimap<std::uint64_t, Subject> subjects_;  // by a hash of what they are
    std::vector<double> key_;                                   // of the question at hand
    Subject latest_{};
    std::uint64_t searches_ = 0;
};

// Tokens a second on at most so many chips, by the default options; from a table that each thread
// has for itself.
double throughput(const TrainingJob& job, const Machine& machine, std::uint64_t chips);

}  // namespace weir::plan
