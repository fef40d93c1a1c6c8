#if MySQL
    import AsyncIO
    import CMariaDB
    import Glibc

    /// The memory that a prepared statement fills with a row, column by column.
    // Safety: everything is allocated in `init` and freed in `deinit`; the statement, which knows the addresses, is
    // closed by the one connection that owns both.
    @safe
    final class MySQLAnswer {
        private let columns: [MySQLColumn]
        private let bindings: UnsafeMutablePointer<MYSQL_BIND>
        private let bytes: UnsafeMutablePointer<UInt8>
        private let lengths: UnsafeMutablePointer<UInt>
        private let nulls: UnsafeMutablePointer<my_bool>

        /// Gives `statement`, which is prepared, a place for its rows, if we know what each of its columns means.
        init(of statement: UnsafeMutablePointer<MYSQL_STMT>) throws(MySQLAnswerFault) {
            columns = unsafe try MySQLAnswer.columns(of: statement)
            unsafe bindings = .allocate(capacity: columns.count)
            unsafe bytes = .allocate(capacity: columns.count * MySQLColumn.lengthMaximum)
            unsafe bytes.initialize(repeating: 0, count: columns.count * MySQLColumn.lengthMaximum)
            unsafe lengths = .allocate(capacity: columns.count)
            unsafe lengths.initialize(repeating: 0, count: columns.count)
            unsafe nulls = .allocate(capacity: columns.count)
            unsafe nulls.initialize(repeating: 0, count: columns.count)
            for index in columns.indices {
                var binding = unsafe MYSQL_BIND()
                unsafe binding.buffer_type = MYSQL_TYPE_STRING
                unsafe binding.buffer = UnsafeMutableRawPointer(bytes + index * MySQLColumn.lengthMaximum)
                unsafe binding.buffer_length = UInt(MySQLColumn.lengthMaximum)
                unsafe binding.length = lengths + index
                unsafe binding.is_null = nulls + index
                unsafe (bindings + index).initialize(to: binding)
            }
            let isBound = unsafe mysql_stmt_bind_result(statement, bindings) == 0
            precondition(isBound, "a prepared statement with columns takes a place for them")
        }

        deinit {
            wipe()
            unsafe bindings.deallocate()
            unsafe bytes.deallocate()
            unsafe lengths.deallocate()
            unsafe nulls.deallocate()
        }

        /// What was fetched last; columns that are NULL are not among them.
        var values: [MySQLColumn: [UInt8]] {
            get throws(MySQLAnswerFault) {
                var values: [MySQLColumn: [UInt8]] = [:]
                for (index, column) in columns.enumerated() where unsafe nulls[index] == 0 {
                    let length = unsafe Int(clamping: lengths[index])
                    guard length <= MySQLColumn.lengthMaximum else { throw .tooLong(column) }
                    let start = unsafe bytes + index * MySQLColumn.lengthMaximum
                    values[column] = unsafe Array(UnsafeBufferPointer(start: start, count: length))
                }
                return values
            }
        }

        /// Forgets the row, which holds passwords.
        func wipe() { unsafe explicit_bzero(bytes, columns.count * MySQLColumn.lengthMaximum) }

        private static func columns(
            of statement: UnsafeMutablePointer<MYSQL_STMT>
        ) throws(MySQLAnswerFault) -> [MySQLColumn] {
            guard let table = unsafe mysql_stmt_result_metadata(statement) else { throw .noColumns }
            defer { unsafe mysql_free_result(table) }
            var columns: [MySQLColumn] = []
            for index in unsafe 0..<mysql_num_fields(table) {
                guard let field = unsafe mysql_fetch_field_direct(table, index), let name = unsafe field.pointee.name
                else { throw .noColumns }
                let text = unsafe String(cString: name)
                guard let column = MySQLColumn(rawValue: text.lowercased()) else {
                    throw .unknownColumn(String(text.prefix(64)))
                }
                guard !columns.contains(column) else { throw .duplicateColumn(column) }
                columns.append(column)
            }
            guard columns.contains(.password) else { throw .noPasswordColumn }
            return columns
        }
    }
#endif
