// The table of commands and options, in the terms of the library that parses it.
//
// Each command declares its options, which fill a struct of commands.hpp, and names the function
// that does the work. Completion, the reference page and the overview are written from the same
// table, once command_table.hpp has it as data.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "weir/cli/check.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/offers.hpp"
#include "weir/cli/plan.hpp"
#include "weir/cli/simulate.hpp"

namespace CLI {
class App;
}

namespace weir::cli {

// Where the parser puts what was given, for every command.
struct Given {
    UpOptions up;
    Common doctor;
    SubmitOptions submit;
    RunOptions run;
    SchemaOptions schema;
    SchemaCheckOptions check;
    PsOptions ps;
    ShowOptions show;
    ShowOptions explain;
    LogsOptions logs;
    Common fleet;
    Common data;
    Common tenants;
    LoanOptions loan;
    StatementOptions statement;
    JobsOptions cancel;
    JobsOptions wait;
    ReserveOptions reserve;
    NodesOptions drain;
    NodesOptions restore;
    PowerOptions power;
    SimulateOptions simulate;
    GenerateOptions generate;
    ReplayOptions replay;
    CheckLogOptions check_log;
    AdviseCheckpointOptions advise;
    OffersOptions offers;
    ChipsOptions chips;
    PlanOptions plan;
    ModelsOptions models;
    Common version;
    std::vector<std::string> help_words;
    bool help_markdown = false;
    bool help_json = false;
    std::string shell;  // of completion
    bool completion_json = false;
    bool show_version = false;
    std::vector<std::string> behind_dashes;  // what stood behind a bare --
};

using Actions = std::map<const CLI::App*, std::function<int()>>;

// Declares all commands. The ones that need the table itself (run, help, completion) have no
// action: they are the caller's, as are commands that only hold others.
// Requires: both outlive the actions.
Actions declare_commands(CLI::App& app, Given& given);

}  // namespace weir::cli
