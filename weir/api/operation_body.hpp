// What an operator sends: the bodies of the requests that change reservations, nodes and budgets.
//
// An empty body is an object without keys. Unknown keys are errors, as everywhere.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/hub/operation.hpp"

namespace weir::api {

// {"name", "pool", "nodes" or "node_names", "from_at_ms", "duration_ms", "tenant", "maintenance"}
Result<hub::MakeReservation> parse_reservation_body(std::string_view json);
Result<hub::OfferLoan> parse_loan_body(std::string_view json);
// {"by": "lender"} or {"by": "borrower"}.
Result<hub::MoveLoan> parse_break_body(std::string_view json, std::string loan);
Result<hub::DrainNode> parse_drain_body(std::string_view json, std::string node);  // {"reason"}
// {"domain", "watts"}, where null stands for no cap.
Result<hub::SetPowerCap> parse_power_body(std::string_view json);
// For what needs no keys.
Result<void> parse_empty_body(std::string_view json);

}  // namespace weir::api
