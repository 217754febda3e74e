// Views: what clients see of a job, of the fleet, and of the reasons.
#pragma once

#include <string>

#include "weir/hub/book.hpp"
#include "weir/hub/hub.hpp"

namespace weir::hub {

// Of a job that is in the book.
JobView view_of(const Job& job, const Book& book, const std::string& data_dir);

// When the job will start, if it waits and that is known: what it was promised, else an estimate,
// where one is wanted.
void tell_start(JobView& view, const Book& book, Time now, bool is_estimated);

// Whether a job is one of those a filter asks for; by the register alone, so it costs nothing.
class Sieve {
public:
    Sieve(const JobFilter& filter, const Register& everybody);
    [[nodiscard]] bool takes(const Register::Line& line) const;

private:
    std::uint32_t states_ = 0;  // a bit for each; 0 = all
    bool nobody_ = false;       // asks for a name, tenant or user that no job has
    std::optional<Register::Symbol> name_;
    std::optional<Register::Symbol> tenant_;
    std::optional<Register::Symbol> user_;
};

// The binding cause of a job that waits, with its numbers; of others, what is to be said. change:
// another fleet is to come into force first, as a sentence says; "" = none is.
ExplainView explain(const Job& job,
                    const Book& book,
                    const catalog::Catalog& catalog,
                    Time now,
                    const std::string& change);
ExplainView explain(const JobView& ended);

// "job 12 (mesh) was promised to start by ...; ... now nothing can be promised".
std::string sentence_of(const Book::BrokenPromise& broken, const Book& book);

std::vector<PoolView> pools_of(const Book& book);

}  // namespace weir::hub
