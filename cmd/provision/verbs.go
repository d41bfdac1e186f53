package main

import "github.com/spf13/cobra"

// verb is a row of the table of verbs. The command line, its help, completion, the reference and the hints follow from it.
type verb struct {
	group string // of the help
	under string // the verb that it is a part of, as "list" is of droplet; mostly none
	build func(*cli) *cobra.Command
}

var verbTable = []verb{
	{starting, "", (*cli).initVerb},
	{starting, "", (*cli).demoVerb},
	{starting, "", (*cli).validateVerb},

	{changing, "", (*cli).planVerb},
	{changing, "", (*cli).applyVerb},

	{looking, "", (*cli).verifyVerb},
	{looking, "", (*cli).statusVerb},
	{looking, "", (*cli).credentialsVerb},
	{looking, "", (*cli).graphVerb},

	{data, "", (*cli).backupVerb},
	{data, "", (*cli).backupsVerb},
	{data, "", (*cli).rotateVerb},
	{data, "", (*cli).destroyVerb},

	{machines, "", (*cli).dropletVerb},
	{machines, "droplet", (*cli).dropletListVerb},
	{machines, "droplet", (*cli).dropletCreateVerb},
	{machines, "droplet", (*cli).dropletDestroyVerb},

	{others, "", (*cli).completionVerb},
	{others, "", (*cli).versionVerb},
}

const (
	starting = "Get started"
	changing = "Change"
	looking  = "Look"
	data     = "Data"
	machines = "Cloud"
	others   = "Other"
)

// groups are in the order of the help, which leaves out those without a verb.
var groups = []string{starting, changing, looking, data, machines, others}

// addVerbs adds what the table has to the root.
func (c *cli) addVerbs(root *cobra.Command) {
	for _, group := range groups {
		for _, v := range verbTable {
			if v.group == group && !root.ContainsGroup(group) {
				root.AddGroup(&cobra.Group{ID: group, Title: group + ":"})
			}
		}
	}
	root.SetHelpCommandGroupID(others)
	made := map[string]*cobra.Command{"": root}
	for _, v := range verbTable {
		cmd := v.build(c)
		if v.under == "" {
			cmd.GroupID = v.group
			made[cmd.Name()] = cmd
		}
		if cmd.Args == nil {
			cmd.Args = noArgs
		}
		if len(cmd.ValidArgs) == 0 && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		made[v.under].AddCommand(cmd)
	}
}
