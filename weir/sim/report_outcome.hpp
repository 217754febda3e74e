// The sections of a report about what was promised and what went wrong: promises of a start made,
// kept and broken; failures, jobs that were stopped for others, and the work that was lost by it.
// A section appears only where there is something to say.
#pragma once

#include "weir/sim/report_page.hpp"
#include "weir/sim/simulator.hpp"
#include "weir/sim/trace.hpp"

namespace weir::sim {

void promises_section(HtmlPage& page, const Trace& trace, const Simulation& result);
void interruptions_section(HtmlPage& page, const Simulation& result);

}  // namespace weir::sim
