#include "weir/plan/shell_script.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

ShellScript follow(std::string_view text) {
    auto script = follow_shell(text, "run.sh");
    EXPECT_TRUE(script.has_value()) << script.error().message;
    return script.has_value() ? std::move(*script) : ShellScript{};
}

std::string refused(std::string_view text) {
    const auto script = follow_shell(text, "run.sh");
    return script.has_value() ? "followed" : script.error().message;
}

TEST(Shell, ExpandsVariablesInTheirForms) {
    EXPECT_THAT(follow("A=8\nrun $A ${A} ${B:-4} \"$A x\" '$A' pre$A.post").commands,
                ElementsAre(Words{"run", "8", "8", "4", "8 x", "$A", "pre8.post"}));
    EXPECT_THAT(follow("export A=1 B=2; run ${A:+yes} ${C:+no}$B").commands,
                ElementsAre(Words{"run", "yes", "2"}));
}

TEST(Shell, CountsAsShellsDo) {
    EXPECT_THAT(
        follow("G=8\nN=4\nrun $(($G*$N)) $((G * (N + 1) - 2)) $((7 / 2 % 2)) $((-N))").commands,
        ElementsAre(Words{"run", "32", "38", "1", "-4"}));
    EXPECT_THAT(follow("run $((1/0)) $((9223372036854775807 + 1)) $((X * 2))").commands,
                ElementsAre(Words{"run", "$((1/0))", "$((9223372036854775807…)", "$((X…)"}));
}

TEST(Shell, KeepsWhatNobodyKnowsAsItIsWritten) {
    const ShellScript script =
        follow("G=$(nvidia-smi -L | wc -l)\nrun --n $G --m $SLURM_NNODES $1");
    EXPECT_THAT(script.commands,
                ElementsAre(Words{"run", "--n", "$(nvidia-smi…)", "--m", "$SLURM_NNODES", "$1"}));
    EXPECT_EQ(unknown_part("$SLURM_NNODES"), "$SLURM_NNODES");
    EXPECT_EQ(unknown_part("x${A}y"), "${A}");
    EXPECT_EQ(unknown_part("12"), "");
}

TEST(Shell, TakesArraysWithCommentsAndLaterAdditions) {
    EXPECT_THAT(follow("A=(\n  --x 1 # not this\n  --y\n)\nA+=(\"--z 2\")\n"
                       "one ${A[@]}\ntwo \"${A[@]}\" ${A[1]}\nthree \"${NONE[@]}\" \"$@\"")
                    .commands,
                ElementsAre(Words{"one", "--x", "1", "--y", "--z", "2"},
                            Words{"two", "--x", "1", "--y", "--z 2", "1"},
                            Words{"three", "${NONE[@]}"}));
}

TEST(Shell, TakesLinesThatGoOnInsideAndOutsideOfQuotes) {
    EXPECT_THAT(
        follow("ARGS=\"\n    --a 1 \\\n    --b\n\"\nrun $ARGS \\\n  --c | tee log.txt").commands,
        ElementsAre(Words{"run", "--a", "1", "--b", "--c"}, Words{"tee", "log.txt"}));
}

TEST(Shell, DecidesConditionsThatItCan) {
    EXPECT_THAT(follow("T=fp8\nif [[ \"$T\" == \"fp8\" ]]; then A=1; else A=2; fi\n"
                       "if [ $T = bf16 ] || [ -z \"$X\" ]; then B=3; elif true; then B=4; fi\n"
                       "[[ $A -gt 0 && ! $B -eq 4 ]] && C=5\n"
                       "case $T in bf16) D=6 ;; fp*|x) D=7 ;; *) D=8 ;; esac\n"
                       "run $A $B $C $D")
                    .commands,
                ElementsAre(Words{"run", "1", "3", "5", "7"}));
}

TEST(Shell, TakesConditionsOfTheMachineAsFalseAndSaysSo) {
    const ShellScript script =
        follow("A=1\nif [ ! -f \"$FILE\" ]; then\n  A=2\n  exit 1\nelse\n  B=3\nfi\nrun $A $B");
    EXPECT_THAT(script.commands, ElementsAre(Words{"run", "1", "3"}));
    EXPECT_THAT(script.assumed,
                ElementsAre(HasSubstr("line 2: the condition depends on the machine")));
}

TEST(Shell, SaysWhichLoopsAndFunctionsItDidNotEnter) {
    const ShellScript script =
        follow("for i in 1 2; do\n  A=$i\ndone\nf() {\n  B=1\n}\nsource env.sh\nrun");
    EXPECT_THAT(script.commands, ElementsAre(Words{"run"}));
    EXPECT_THAT(script.skipped,
                ElementsAre(HasSubstr("line 1: a loop (for)"),
                            HasSubstr("line 4: the function f"),
                            HasSubstr("line 7: env.sh was not read")));
}

TEST(Shell, KeepsFilesThatAScriptWrites) {
    const ShellScript script = follow(
        "N=4\ncat <<EOT > conf/$N.json\n{\"n\": $N, \"m\": $((N*2))}\nEOT\n"
        "cat > raw <<'EOF'\n$N\nEOF\nrun 2>&1 >log");
    ASSERT_EQ(script.files.size(), 2u);
    EXPECT_EQ(script.files[0].path, "conf/4.json");
    EXPECT_EQ(script.files[0].text, "{\"n\": 4, \"m\": 8}\n");
    EXPECT_EQ(script.files[1].text, "$N\n");
    EXPECT_THAT(script.commands, ElementsAre(Words{"run"}));
}

TEST(Shell, FollowsTextsThatAreScripts) {
    EXPECT_THAT(
        follow("C=\"run --a 1\"\neval ${C}\nsrun -N 2 bash -c \"go --b\"").commands,
        ElementsAre(Words{"run", "--a", "1"}, Words{"srun", "-N", "2"}, Words{"go", "--b"}));
}

TEST(Shell, KnowsWhatSlurmWillSet) {
    EXPECT_THAT(follow("#SBATCH --nodes=4\n#SBATCH --gres=gpu:a100:8\nrun $SLURM_NNODES "
                       "$(($SLURM_NNODES * SLURM_GPUS_ON_NODE))")
                    .commands,
                ElementsAre(Words{"run", "4", "32"}));
}

TEST(Shell, RefusesWhatDoesNotEnd) {
    EXPECT_EQ(refused("run \"abc"), "run.sh:1: a quoted text does not end");
    EXPECT_EQ(refused("A=(1 2"), "run.sh:1: the array A does not end");
    EXPECT_EQ(refused("if true; then run"), "run.sh:1: fi is missing before the end");
    EXPECT_EQ(refused("cat <<EOF > x\nabc\n"), "run.sh:3: the heredoc EOF does not end");
    EXPECT_EQ(refused("run )"), "run.sh:1: ) has no beginning");
    EXPECT_THAT(refused(std::string("a\0b", 3)), HasSubstr("NUL"));
}

TEST(Shell, RefusesWhatGrowsWithoutEnd) {
    std::string text = "A=0123456789\n";
    for (int i = 0; i < 40; ++i)
        text += "A=$A$A\n";
    EXPECT_THAT(refused(text), HasSubstr("grow too large"));
    EXPECT_THAT(refused(std::string(2 << 20, 'a')), HasSubstr("at most"));
    std::string deep;
    for (int i = 0; i < 5000; ++i)
        deep += "if true; then\n";
    EXPECT_THAT(refused(deep), HasSubstr("nested too deep"));
    EXPECT_THAT(refused("run " + std::string(5000, '$') + std::string(5000, '(')),
                HasSubstr("does not end"));
}

}  // namespace
}  // namespace weir::plan
