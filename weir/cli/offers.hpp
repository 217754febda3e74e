// `weir offers` and `weir chips`: which chips could serve a job, and what is known of chips.
//
// Both work without a hub, from files and from the catalogue that the program carries. What
// somebody has measured and what is only estimated never look alike: see founded().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/job/job.hpp"
#include "weir/match/match.hpp"

namespace weir::cli {

struct OffersOptions {
    std::string job;    // a job file or script; "-" = standard input
    std::string fleet;  // a fleet file
    std::vector<std::string> catalogs;
    bool json = false;
};
// 0 when a pool of the fleet can serve the job, 1 when none can or a hub would refuse the job for
// what it does not honour.
int offers(const OffersOptions& options);

struct ChipsOptions {
    std::string name;  // "" = all
    std::vector<std::string> catalogs;
    bool json = false;
};
int chips(const ChipsOptions& options);

// What the fleet and the catalogue do not know of the chips, stacks and sites that a job names,
// with the name that may have been meant: "chips.any_of: the catalogue does not know \"h2O0\" (did
// you mean h200?)".
std::vector<std::string> slips_in(const job::JobSpec& spec,
                                  const fleet::Fleet& fleet,
                                  const catalog::Catalog& catalog);

// Takes from what serves the pools where the whole gang would never find room in an empty fleet, by
// nodes, levels and watts, together with the others of its site where it may spread; they stand
// after those that serve, with the reason as a hub would say it.
void rule_out_what_never_fits(const job::JobSpec& spec,
                              const fleet::Fleet& fleet,
                              match::Offers& offers);

// A number with what it stands on: "2h 10m measured", but "~2h 10m (derived)".
// What is to be said of an offer of so long: "; its time limit of 1h 00m would end it before", or
// "".
std::string over_limit(double seconds, std::optional<Duration> limit);

std::string founded(std::string_view number, catalog::Basis basis);

}  // namespace weir::cli
