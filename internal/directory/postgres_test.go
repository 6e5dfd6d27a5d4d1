package directory

import (
	"os"
	"strings"
	"testing"

	"postern/internal/testdb"
	"postern/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// databaseURL is a new database: PostgreSQL's within TestOnPostgreSQL, else SQLite's.
func databaseURL(t testing.TB) string {
	if strings.HasPrefix(t.Name(), "TestOnPostgreSQL/") {
		return testpg.Database(t)
	}
	return testdb.SQLite(t)
}

// What goes through SQL holds on PostgreSQL too.
func TestOnPostgreSQL(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"WhoGetsMail":                            TestWhoGetsMail,
		"ADomainChoosesSeparatorAndCatchAll":     TestADomainChoosesSeparatorAndCatchAll,
		"EntangledGroupsAreUnfoldedOnce":         TestEntangledGroupsAreUnfoldedOnce,
		"AnAccountKnowsItsAddresses":             TestAnAccountKnowsItsAddresses,
		"WhoMaySendAsWhom":                       TestWhoMaySendAsWhom,
		"ARefusedChangeSaysWhy":                  TestARefusedChangeSaysWhyAndChangesNothing,
		"DomainAndUserInOneTransaction":          TestDomainAndUserInOneTransaction,
		"RemovingAUserLeavesNothingBehind":       TestRemovingAUserLeavesNothingBehind,
		"QuotasReachTheStore":                    TestQuotasReachTheStore,
		"TheDirectoryOutlivesTheProcess":         TestTheDirectoryOutlivesTheProcess,
		"MemoryFollowsTheDatabase":               TestMemoryFollowsTheDatabase,
		"APasswordIsHashedAnewWhenTheRoundsRise": TestAPasswordIsHashedAnewWhenTheRoundsRise,
		"TheDatabaseAloneDoesNotGive":            TestTheDatabaseAloneDoesNotGiveWhatScramNeeds,
		"WithoutTheirKey":                        TestWithoutTheirKeyAccountsLogInByPasswordAndThenByScramAgain,
	} {
		t.Run(name, test)
	}
}
