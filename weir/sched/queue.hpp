// Queue: who is next. Priority classes, the highest first; inside a class, order of submission.
//
// A doubly linked list through the slots of the job table for each class: joining at the end and
// leaving anywhere cost a few instructions. A job that comes back (a retry, a met dependency)
// returns to the place that its submission gives it.
#pragma once

#include <array>
#include <cstdint>

#include "weir/sched/job_table.hpp"

namespace weir::sched {

class Queue {
public:
    explicit Queue(JobTable& jobs) : jobs_(&jobs) {
        first_.fill(no_slot);
        last_.fill(no_slot);
    }

    void join(std::uint32_t slot) {
        Job& job = jobs_->at(slot);
        const auto lane = static_cast<std::size_t>(job.priority);
        std::uint32_t after = last_[lane];
        while (after != no_slot && jobs_->at(after).order > job.order) {
            after = jobs_->at(after).previous;
        }
        const std::uint32_t before = after == no_slot ? first_[lane] : jobs_->at(after).next;
        job.previous = after;
        job.next = before;
        (after == no_slot ? first_[lane] : jobs_->at(after).next) = slot;
        (before == no_slot ? last_[lane] : jobs_->at(before).previous) = slot;
        ++size_;
    }

    void leave(std::uint32_t slot) {
        Job& job = jobs_->at(slot);
        const auto lane = static_cast<std::size_t>(job.priority);
        (job.previous == no_slot ? first_[lane] : jobs_->at(job.previous).next) = job.next;
        (job.next == no_slot ? last_[lane] : jobs_->at(job.next).previous) = job.previous;
        job.previous = no_slot;
        job.next = no_slot;
        --size_;
    }

    // Front to back: for (slot = front(); slot != no_slot; slot = after(slot)). To remove while
    // walking, ask after() before leave().
    [[nodiscard]] std::uint32_t front() const { return front_from(first_.size()); }
    [[nodiscard]] std::uint32_t after(std::uint32_t slot) const {
        const Job& job = jobs_->at(slot);
        if (job.next != no_slot) return job.next;
        return front_from(static_cast<std::size_t>(job.priority));
    }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    [[nodiscard]] std::uint32_t front_from(std::size_t below) const {
        while (below-- > 0) {
            if (first_[below] != no_slot) return first_[below];
        }
        return no_slot;
    }

    JobTable* jobs_;
    std::array<std::uint32_t, 4> first_{};  // by priority
    std::array<std::uint32_t, 4> last_{};
    std::uint64_t size_ = 0;
};

}  // namespace weir::sched
