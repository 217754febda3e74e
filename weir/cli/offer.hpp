// Offer: what a fleet file lets a hub give away, held against the machine that it runs on.
//
// A hub starts jobs on its own machine and nowhere else. A fleet file may therefore offer a part
// of that machine, in one pool or several; nodes that are elsewhere, or processors and memory that
// nobody has, would be promises to jobs that end in swapping, or in output from the wrong place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/exec/discover.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::cli {

struct Offer {
    fleet::Fleet fleet;
    std::vector<std::string> notes;  // sentences for the operator
};

// oversubscribe: more than the machine has becomes a note instead of an error. An executor that is
// not of this machine is an error in any case.
Result<Offer> check_offer(Offer offer,
                          const exec::DiscoveryReport& here,
                          std::string_view source,
                          bool oversubscribe);

// The same for the file at `path` ("-" = standard input), with the notes of the language.
Result<Offer> read_offer(const std::string& path,
                         const exec::DiscoveryReport& here,
                         bool oversubscribe);

}  // namespace weir::cli
