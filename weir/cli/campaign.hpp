// A campaign: a folder of job files, submitted as one batch and followed to the end.
//
// Every *.yaml of the folder is one job, in the order of the names, with the folder as its working
// directory and the environment of whoever started it; each run submits anew, so a data folder may
// see a campaign many times. The display goes to standard error (redrawn on a terminal, one plain
// line for each change elsewhere), the table of results to standard output.
#pragma once

#include <string>

#include "weir/base/result.hpp"
#include "weir/cli/hub_link.hpp"

namespace weir::cli {

enum class CampaignEnd { succeeded, failed, interrupted };

// Requires: the hub runs on this machine (what the jobs wrote is read from their files).
Result<CampaignEnd> run_campaign(HubLink& hub, const std::string& folder, bool json);

}  // namespace weir::cli
