// GET /metrics: the hub's numbers in the text format that Prometheus reads.
//
// Names follow its conventions: a unit as suffix, _total for what only grows, base units. The
// order is fixed, so two equal states give equal bytes.
#pragma once

#include <string>
#include <vector>

#include "weir/api/http_server.hpp"
#include "weir/hub/hub.hpp"

namespace weir::api {

std::string metrics_text(const hub::Status& status,
                         const std::vector<hub::PoolView>& pools,
                         const ServerStats& server,
                         const std::string& version);

}  // namespace weir::api
