// Register: one short line for every job there ever was.
//
// It answers what must be answered without reading the disk: which job is "12_3", which is the
// newest of a name, which of a million are running, newest first. A line is 24 bytes and names are
// kept once, so a million jobs cost tens of megabytes; everything else about an ended job is in its
// document. Ids are given in order from 1, so a line is found by position.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/hub/hub.hpp"

namespace weir::hub {

class Register {
public:
    using Symbol = std::uint32_t;  // a text that is kept once

    struct Line {
        Symbol name = 0;
        Symbol tenant = 0;
        Symbol user = 0;
        std::uint32_t offset = 0;  // position among the members of its array
        std::uint32_t count = 1;   // members of its array
        JobState state = JobState::pending;
    };

    // The id that the next job gets.
    [[nodiscard]] JobId next() const { return JobId{lines_.size() + 1}; }
    [[nodiscard]] bool knows(JobId job) const {
        return job.value >= 1 && job.value <= lines_.size();
    }
    // Requires: knows(job).
    [[nodiscard]] const Line& line(JobId job) const { return lines_.at(job.value - 1); }
    void set_state(JobId job, JobState state) { lines_.at(job.value - 1).state = state; }

    // Enters `count` jobs with consecutive ids from next(). indices: empty when it is no array.
    void enter(std::string_view name,
               std::string_view tenant,
               std::string_view user,
               std::uint32_t count,
               const std::vector<std::uint32_t>& indices);

    [[nodiscard]] JobId first_of(JobId member) const {
        return JobId{member.value - line(member).offset};
    }
    [[nodiscard]] std::optional<std::uint32_t> array_index(JobId job) const;
    // As users write it: "12", or "12_3" for the member with index 3.
    [[nodiscard]] std::string id_of(JobId job) const;
    [[nodiscard]] const std::string& text(Symbol symbol) const { return *texts_[symbol]; }
    [[nodiscard]] std::optional<Symbol> symbol_of(std::string_view text) const;

    // "12" (all members when it is the id of an array), "12_3", or the newest job of that name;
    // empty when there is none.
    [[nodiscard]] std::vector<JobId> find(std::string_view reference) const;
    // First members, the newest of the name.
    [[nodiscard]] std::optional<JobId> newest_named(std::string_view name) const;
    [[nodiscard]] std::optional<JobId> newest_named(std::string_view name,
                                                    std::string_view tenant) const;

private:
    Symbol intern(std::string_view text);
    [[nodiscard]] std::optional<std::vector<JobId>> find_by_id(std::string_view reference) const;

    std::vector<Line> lines_;
    std::unordered_map<std::string, Symbol> symbols_;
    std::vector<const std::string*> texts_;  // keys of symbols_, whose addresses do not change
    std::unordered_map<JobId, std::vector<std::uint32_t>> indices_;  // of arrays, by first member
    std::unordered_map<Symbol, JobId> newest_;
    std::map<std::pair<Symbol, Symbol>, JobId> newest_of_tenant_;  // (tenant, name)
};

// The members of the array that `first` begins: all jobs that were submitted with it.
std::vector<JobId> members_of(const Register& everybody, JobId first);

}  // namespace weir::hub
