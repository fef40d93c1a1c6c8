/// Placeholder: written by the accounts-file work.
package struct AccountsFile: Sendable {
    package init() {}
}
