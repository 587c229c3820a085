// What people see on a terminal.
#include "services/cli/terminal.h"

#include <gtest/gtest.h>

#include "services/cli/commands.h"

namespace xundian::cli {
namespace {

TEST(Width, CountsWideLettersTwice) {
  EXPECT_EQ(width_of("abc"), 3u);
  EXPECT_EQ(width_of("店铺"), 4u);
  EXPECT_EQ(width_of("店铺 a–"), 7u);
  EXPECT_EQ(width_of("（）"), 4u);
  EXPECT_EQ(width_of("e\u0301"), 1u);
  EXPECT_EQ(width_of("\xff\xfe"), 2u);
}

TEST(Table, LinesUpAlsoInChinese) {
  Table table({"店铺 Store", ">值"});
  table.add({"旗舰店", "1"});
  table.add({"mall", "1,000"});
  EXPECT_EQ(table.text(), "店铺 Store     值\n旗舰店          1\nmall        1,000\n");
}

TEST(Duration, HasAUnit) {
  EXPECT_EQ(*parse_duration("90s"), 90'000);
  EXPECT_EQ(*parse_duration("2h"), 7'200'000);
  EXPECT_EQ(*parse_duration(""), 0);
  for (const char* wrong : {"2", "h", "-1h", "1w", "1h30m"}) EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace xundian::cli
