// Power: what sites, pods and racks draw, and what they may.
//
// The draw is a model: a node takes its idle watts, and of the way from there to its busy watts the
// share of its chips (of its CPUs, where it has no chips) that jobs hold. The budgets are those of
// the fleet file, unless an operator set others.
//
// Threads: pure functions of the book. Cost: of all draws, linear in the nodes.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/book.hpp"
#include "weir/hub/hub.hpp"

namespace weir::hub {

// "POOL/rack/3", "POOL/pod/1", or the name of a site. The error says what is valid.
Result<sched::PowerDomain> power_domain_of(const std::string& text, const fleet::Fleet& fleet);
std::string text_of(const sched::PowerDomain& domain, const fleet::Fleet& fleet);

double budget_of(const sched::PowerDomain& domain, const Book& book);                // 0 = none
double budget_by_file(const sched::PowerDomain& domain, const fleet::Fleet& fleet);  // the same

// "": every site, and what has a budget. Of a site, a pool, a rack or a pod: all there is of it.
Result<std::vector<PowerView>> power_views(const std::string& of, const Book& book);
PowerView power_view(const sched::PowerDomain& domain, const Book& book);

// "box/rack/3 draws 15.2 kW and may draw 15 kW; nothing that may be stopped is left there". Those
// that are being stopped already are taken to be gone.
std::string sentence_of(const journal::OverPower& over, const Book& book);
// The same of those that are above their budget at this moment.
std::vector<std::string> over_power(const Book& book);

}  // namespace weir::hub
