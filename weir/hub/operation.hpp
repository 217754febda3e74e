// Operation: what an operator asks of a running hub, as plain values; and what can be seen of it.
//
// Each is answered by one sentence for people once it is on disk. An operation that already holds
// is no error: asking twice is harmless.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "weir/base/time.hpp"
#include "weir/hub/loans.hpp"
#include "weir/tenancy/house_use.hpp"

namespace weir::hub {

// Nodes for the jobs of somebody, or for nobody while they are maintained.
struct MakeReservation {
    std::string name;
    std::string pool;                     // "" = the only one there is
    std::uint32_t nodes = 0;              // so many nodes of the pool, or
    std::vector<std::string> node_names;  // these
    std::optional<Time> from;             // none = now
    Duration duration{};
    std::string tenant;  // whose jobs may use it; "" = everybody's
    bool maintenance = false;
};
struct EndReservation {
    std::string name;
};
struct DrainNode {
    std::string node;
    std::string reason;
};
struct RestoreNode {
    std::string node;
};
// Of a site (its name), of a rack ("POOL/rack/3") or of a pod ("POOL/pod/1").
struct SetPowerCap {
    std::string domain;
    double watts = 0;  // 0 = what the fleet file says again
};
// A running job saved what it has done so far.
struct NoteCheckpoint {
    std::string reference;
};
// What the lender of a loan asks (offer, withdraw, recall), or its borrower (accept, give_back);
// either of them may break it.
struct OfferLoan {
    LoanTerms terms;
    std::map<std::string, std::string> chips;  // the amounts, as in a tenants file: by resource
};
struct MoveLoan {
    std::string name;
    tenancy::LoanEvent event = tenancy::LoanEvent::accept;
};
using Operation = std::variant<MakeReservation,
                               EndReservation,
                               DrainNode,
                               RestoreNode,
                               SetPowerCap,
                               NoteCheckpoint,
                               OfferLoan,
                               MoveLoan>;

struct ReservationView {
    std::string name;
    std::string tenant;
    bool maintenance = false;
    Time from{};
    Time until{};
    struct Run {  // of nodes that follow each other
        std::string pool;
        std::string first;
        std::string last;
        std::uint32_t count = 0;
    };
    std::vector<Run> nodes;
    std::vector<std::string> running;  // ids of the jobs that run inside it
    std::uint64_t waiting = 0;         // jobs that wait for it
};

// An organisation, with everybody below it.
struct TenantView {
    std::string path;  // "" = the centre itself, which is all of it
    std::uint32_t weight_milli = 1000;
    // By what it waits its turn among its siblings, where the policy says so: its share of what is
    // lent, in proportion to its weight, or its place in the order, from 1.
    std::optional<double> share;
    std::optional<std::uint32_t> rank;
    struct Amounts {
        tenancy::Resource resource;
        tenancy::HouseUse use;
    };
    std::vector<Amounts> resources;  // all that some quota is written in
    // Loans in force of its own, by name.
    std::vector<std::string> loans_given;
    std::vector<std::string> loans_taken;
    std::uint64_t running = 0;  // jobs
    std::uint64_t waiting = 0;
};

struct PowerView {
    std::string domain;                // as SetPowerCap has it
    std::string level;                 // site | pod | rack
    std::optional<double> draw_watts;  // absent: nothing says what its nodes draw
    double budget_watts = 0;           // 0 = none
    std::string note;                  // why the budget cannot be meant; "" = it can
};

}  // namespace weir::hub
