// Verdict: does what a chip would do for a job keep the job's contract on precision?
//
// Said a second time, from the job's own words and the catalogue's and without the search for the
// best that match.hpp is about, so that one can be held against the other. Tests hold every offer
// to it, and bench/precision.cpp counts by it what a plan that knows no contracts has broken.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "weir/catalog/chip.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/match/match.hpp"

namespace weir::match {

// The first rule that is broken, as a sentence; "" = the contract is kept.
std::string violation(const job::JobSpec& spec,
                      const catalog::ChipRecord& chip,
                      const ChipOffer& offer);
// The same of all that a fleet offers: also who may serve at all, and whether results can be equal
// bit by bit.
std::string violation(const job::JobSpec& spec,
                      const fleet::Fleet& fleet,
                      const catalog::Catalog& catalog,
                      const Offers& offers);

}  // namespace weir::match
